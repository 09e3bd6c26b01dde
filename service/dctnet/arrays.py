"""NumPy array types that the packages share."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""0..255; an image is HxWx3, in RGB unless a docstring says BGR."""

Floats = NDArray[np.float32]
"""Boxes, landmarks, masks, and images between two stages."""

GeneratorOutput = Pixels | Floats
"""HxWx3 in BGR, 0..255: float32 where a graph ends without a cast."""
