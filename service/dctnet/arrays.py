"""NumPy array types that the packages share."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""uint8 pixels, 0..255. An image is HxWx3, RGB unless a docstring says BGR."""

Floats = NDArray[np.float32]
"""float32 boxes, landmarks, masks, and images between two stages."""

GeneratorOutput = Pixels | Floats
"""HxWx3 BGR, 0..255; float32 if the graph ends without a cast."""


def empty(shape: tuple[int, int, int]) -> Pixels:
    """Return an array of a shape for pixels."""
    return np.empty(shape, np.uint8)
