"""The generator's weights as one array: what the native runtime takes.

They are those of the frozen graph, untransformed: layer by layer in the order of `LAYERS`, first
`generator/<layer>/weights`, [height][width][inputs][outputs], then `generator/<layer>/biases`.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dctnet.models.errors import ModelError
from dctnet.runtimes import Floats

LAYERS: dict[str, tuple[int, int, int, int]] = {
    "Conv": (7, 7, 3, 32),
    "Conv_1": (3, 3, 32, 32),
    "Conv_2": (3, 3, 32, 64),
    "Conv_3": (3, 3, 64, 64),
    "Conv_4": (3, 3, 64, 128),
    **{f"block_{block}/conv{conv}": (3, 3, 128, 128) for block in range(4) for conv in (1, 2)},
    "Conv_5": (3, 3, 128, 64),
    "Conv_6": (3, 3, 64, 64),
    "Conv_7": (3, 3, 64, 32),
    "Conv_8": (3, 3, 32, 32),
    "Conv_9": (7, 7, 32, 3),
}
"""The layers' names in TensorFlow's graph, in its order, and the shapes of their weights."""

COUNT = sum(int(np.prod(shape)) + shape[3] for shape in LAYERS.values())

_MAGIC = b"dctnetGW"
_VERSION = 1
_HEADER = struct.Struct("<8sIIf")


@dataclass(frozen=True)
class Weights:
    """The weights of one generator, float32, and the epsilon of its guided filter."""

    values: Floats
    epsilon: float

    @classmethod
    def of(cls, constants: Mapping[str, NDArray[Any]], epsilon: float) -> "Weights":
        """Take them from the constants of a frozen graph by their names there.

        Raises ModelError where one is absent or of another shape.
        """
        parts = []
        for layer, shape in LAYERS.items():
            for kind, wanted in ("weights", shape), ("biases", shape[3:]):
                name = f"generator/{layer}/{kind}"
                if name not in constants:
                    raise ModelError(f"The graph is no generator of DCT-Net: it has no {name}.")
                found = constants[name]
                if found.shape != wanted:
                    raise ModelError(
                        f"The graph is no generator of DCT-Net: the shape of {name} is "
                        f"{found.shape}, not {wanted}."
                    )
                parts.append(found.astype(np.float32).ravel())
        return cls(np.concatenate(parts), epsilon)

    @classmethod
    def unpack(cls, packed: bytes) -> "Weights":
        """Read what `pack` wrote. Raises ModelError where it is anything else."""
        size = _HEADER.size + 4 * COUNT
        if len(packed) != size:
            raise ModelError(f"The packed weights have {len(packed)} bytes, not {size}.")
        magic, version, count, epsilon = _HEADER.unpack_from(packed)
        if (magic, version, count) != (_MAGIC, _VERSION, COUNT):
            raise ModelError(f"The packed weights are not of version {_VERSION}.")
        values = np.frombuffer(packed, "<f4", offset=_HEADER.size).astype(np.float32, copy=False)
        return cls(values, epsilon)

    def pack(self) -> bytes:
        """Write them, little-endian: a header of magic, version, count and epsilon, the values."""
        header = _HEADER.pack(_MAGIC, _VERSION, COUNT, self.epsilon)
        return header + self.values.astype("<f4", copy=False).tobytes()
