"""Runtime registry: one row for each runtime.

To add a runtime, add a row here and a module of the same name in `dctnet.runtimes`; for a compiled
library also NAME_library, which finds the variant for this CPU.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """Properties of a runtime that other modules need without loading it."""

    suffix: str
    """Suffix of the network files that it opens."""
    package: str | None = None
    """Python package that it needs; None for a compiled library of dctnet."""
    weights_from: str = ""
    """Runtime whose file holds the generators' weights; empty if its own file holds them."""
    loads_in_parallel: bool = True
    """Whether several threads may load networks at the same time."""


RUNTIMES = {
    "native": RuntimeSpec(".npz"),
    "onnxruntime": RuntimeSpec(".onnx", package="onnxruntime", weights_from="native"),
    # TensorFlow aborts if the process exits while other threads load a network.
    "tensorflow": RuntimeSpec(".pb", package="tensorflow", loads_in_parallel=False),
}
"""Runtimes by name, the fastest first."""

REFERENCE = "tensorflow"
"""Runtime that reads the frozen graphs of upstream and defines the correct result."""

SETTING_VALUES = ("auto", *RUNTIMES)
"""Allowed values of ``DCTNET_RUNTIME``."""
