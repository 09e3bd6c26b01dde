"""File of a generator's weights, which a converted model has instead of a frozen graph.

NumPy's `.npz`, uncompressed, without pickles. Arrays, in the order of `LAYERS`:

- `NAME/weights`, (side, side, inputs, outputs), and `NAME/biases`, (outputs,), as in the frozen
  graph;
- `guided_filter/epsilon`, ().

Each is float32, or float16 where that holds every value exactly.

The rest of the network is the same in all DCT-Net models: `dctnet.conversion.generator_graph`.
"""

# `zipfile` imports it when it opens a file; two networks loaded at the same time once failed in
# that import.
import encodings.cp437  # noqa: F401
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.open_files import Readable

Weights = Mapping[str, NDArray[np.float32]]
"""Arrays by name; the names are those of `shapes`."""

EPSILON = "guided_filter/epsilon"

_TYPES = np.dtype(np.float16), np.dtype(np.float32)

_one_reader = Lock()
"""NumPy parses array headers with `ast.literal_eval`, which fails with SystemError in CPython
before 3.11.8 if another thread parses while garbage is collected (gh-106905)."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution layer with bias."""

    name: str
    """Scope in the frozen graphs, without `generator/`."""
    side: int
    """Side of the kernel, in pixels."""
    inputs: int
    """Input channels."""
    outputs: int
    """Output channels."""
    stride: int = 1

    @property
    def weights(self) -> str:
        """Name of the kernel array."""
        return f"{self.name}/weights"

    @property
    def biases(self) -> str:
        """Name of the bias array."""
        return f"{self.name}/biases"


DOWN = (
    Layer("Conv", 7, 3, 32),
    Layer("Conv_1", 3, 32, 32, stride=2),
    Layer("Conv_2", 3, 32, 64),
    Layer("Conv_3", 3, 64, 64, stride=2),
    Layer("Conv_4", 3, 64, 128),
)

BLOCKS = tuple(
    (Layer(f"block_{block}/conv1", 3, 128, 128), Layer(f"block_{block}/conv2", 3, 128, 128))
    for block in range(4)
)

UP = (
    Layer("Conv_5", 3, 128, 64),
    Layer("Conv_6", 3, 64, 64),
    Layer("Conv_7", 3, 64, 32),
    Layer("Conv_8", 3, 32, 32),
    Layer("Conv_9", 7, 32, 3),
)

LAYERS = (*DOWN, *(layer for block in BLOCKS for layer in block), *UP)
"""Layers in the order of computation."""


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of every array, in the order of the file."""
    for layer in LAYERS:
        yield layer.weights, (layer.side, layer.side, layer.inputs, layer.outputs)
        yield layer.biases, (layer.outputs,)
    yield EPSILON, ()


def write(path: Path, weights: Weights) -> None:
    """Write a generator's weights, reproducibly; raise OSError."""
    ordered = {name: compact(np.asarray(weights[name], "<f4")) for name, _ in shapes()}
    # Names with a slash are no Python identifiers, but `**` accepts them.
    np.savez(path, allow_pickle=False, **ordered)


def compact(array: NDArray[np.float32]) -> NDArray[np.floating]:
    """Return an array as float16 if that holds every value exactly, else unchanged."""
    with np.errstate(over="ignore"):
        half = array.astype("<f2")
    return half if np.array_equal(half, array) else array


def read(path: Readable) -> Weights:
    """Read a generator's weights, float32; raise ModelError for a file that `write` did not."""
    try:
        with _one_reader, np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            weights = {name: file[name] for name in file.files}
    except OSError as error:
        raise ModelError(f"The weights {path} cannot be read: {os_error_reason(error)}.") from error
    except (ValueError, EOFError, BadZipFile) as error:
        raise ModelError(f"{path} is not a weights file.") from error
    expected = dict(shapes())
    if list(weights) != list(expected):
        raise ModelError(f"{path} does not have the arrays of a DCT-Net generator.")
    for name, shape in expected.items():
        found = weights[name]
        if found.shape != shape or found.dtype not in _TYPES:
            raise ModelError(
                f"{path} is not a DCT-Net generator: {name} is {found.dtype} of shape"
                f" {found.shape}, not float32 or float16 of shape {shape}."
            )
    return {name: array.astype(np.float32) for name, array in weights.items()}
