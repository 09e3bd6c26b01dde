"""A generator's weights in a file: what a prepared folder holds in place of a frozen graph.

The file is numpy's `.npz`, uncompressed and without pickles. Its arrays, in the order of `LAYERS`:

- `NAME/weights`, float32, (side, side, inputs, outputs), and `NAME/biases`, float32, (outputs,), as
  they stand in the frozen graph;
- `guided_filter/epsilon`, float32, (), the graph's own.

All else of the network is the same in every DCT-Net model, `dctnet.conversion.generator_graph`.
"""

# `zipfile` looks it up when it opens a file, and two networks that were loaded at the same time
# once failed at importing it together.
import encodings.cp437  # noqa: F401
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.open_files import Readable

Weights = Mapping[str, NDArray[np.float32]]
"""Arrays by the names of `shapes`."""

EPSILON = "guided_filter/epsilon"


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution with a bias."""

    name: str
    """Its scope in the frozen graphs, without `generator/`."""
    side: int
    """Of the kernel, in pixels."""
    inputs: int
    """Channels."""
    outputs: int
    """Channels."""
    stride: int = 1

    @property
    def weights(self) -> str:
        """The name of its kernel."""
        return f"{self.name}/weights"

    @property
    def biases(self) -> str:
        """The name of its bias."""
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
"""In the order in which they are computed."""


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and the shape of every array, in the file's order."""
    for layer in LAYERS:
        yield layer.weights, (layer.side, layer.side, layer.inputs, layer.outputs)
        yield layer.biases, (layer.outputs,)
    yield EPSILON, ()


def write(path: Path, weights: Weights) -> None:
    """Write a generator's weights, the same bytes for the same weights; raises OSError."""
    ordered = {name: np.asarray(weights[name], "<f4") for name, _ in shapes()}
    # Names with a slash cannot be keywords in Python's syntax, but they can be in a call.
    np.savez(path, allow_pickle=False, **ordered)


def read(path: Readable) -> Weights:
    """Read a generator's weights; raises ModelError where the file is not what `write` writes."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            weights = {name: file[name] for name in file.files}
    except OSError as error:
        raise ModelError(f"The weights {path} cannot be read: {os_error_reason(error)}.") from error
    except (ValueError, EOFError, BadZipFile) as error:
        raise ModelError(f"{path} is not a file of weights.") from error
    expected = dict(shapes())
    if list(weights) != list(expected):
        raise ModelError(f"{path} has not the arrays of a DCT-Net generator.")
    for name, shape in expected.items():
        found = weights[name]
        if found.shape != shape or found.dtype != np.float32:
            raise ModelError(
                f"{path} is not a DCT-Net generator: {name} is {found.dtype} of shape"
                f" {found.shape}, and should be float32 of shape {shape}."
            )
    return weights
