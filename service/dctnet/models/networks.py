"""The four networks of a model, and the file that each runtime reads of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

NETWORKS = {
    "background": "cartoon_bg",
    "head": "cartoon_h",
    "detector": "detector",
    "landmarks": "keypoints",
}
"""What upstream calls the files of the parts, without their suffix."""

SUFFIXES = {"native": ".npz", "onnxruntime": ".onnx", "tensorflow": ".pb"}
"""The runtimes, and the suffix of what each reads."""

GENERATORS = ("background", "head")
"""The parts that draw; their ONNX graphs take the weights of the native runtime's file."""


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """A network of a model folder: who can compute it from the files that are there."""

    runtimes: tuple[str, ...]
    """Names in ``SUFFIXES``."""
    reason: str = ""
    """Why it needs TensorFlow; empty where it does not."""
    compared: int = 0
    """On how many inputs the converted network was compared with TensorFlow."""
    differences: Mapping[str, float] = field(default_factory=dict)
    """The largest difference of each of its outputs on these."""
    same_as: str = ""
    """The part whose files are also this one's; empty where it has its own."""


def file_name(network: str, runtime: str) -> str:
    """Return the name of the file that a runtime opens for a part."""
    return NETWORKS[network] + SUFFIXES[runtime]


def file_names(network: str, runtime: str) -> tuple[str, ...]:
    """Return the names of all files that a runtime reads for a part."""
    if network in GENERATORS and runtime == "onnxruntime":
        return file_name(network, runtime), file_name(network, "native")
    return (file_name(network, runtime),)


UNCONVERTED = NetworkRecord(("tensorflow",), "it is a frozen graph, as upstream ships it")
"""A part of a folder that was not prepared."""
