"""The four networks of a model: file names, and the record of each network."""

from dataclasses import dataclass

from dctnet.runtime_registry import REFERENCE, RUNTIMES

NETWORKS = {
    "background": "cartoon_bg",
    "head": "cartoon_h",
    "detector": "detector",
    "landmarks": "keypoints",
}
"""Names of the networks' files, as upstream has them, without suffix."""

GENERATORS = ("background", "head")
"""The networks that generate cartoons."""


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """Record of one network of a model folder."""

    runtimes: tuple[str, ...]
    """Names in ``RUNTIMES`` of those that can run it from the files of the folder."""
    reason: str = ""
    """Why the network needs TensorFlow; empty if it does not."""
    same_as: str = ""
    """Network whose files this one shares; empty if it has its own."""


def file_name(network: str, runtime: str) -> str:
    """Return the name of the file that a runtime opens for a network."""
    return NETWORKS[network] + RUNTIMES[runtime].suffix


def file_names(network: str, runtime: str) -> tuple[str, ...]:
    """Return the names of all files that a runtime reads for a network."""
    weights_from = RUNTIMES[runtime].weights_from
    if network in GENERATORS and weights_from:
        return file_name(network, runtime), file_name(network, weights_from)
    return (file_name(network, runtime),)


UNCONVERTED = NetworkRecord((REFERENCE,), "it is a frozen graph, as upstream ships it")
"""Record of each network of a folder in the upstream format."""
