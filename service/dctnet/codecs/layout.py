"""Memory that the server shares with a codec process: file, pixels and encoded cartoon.

Only touched pages take memory, and they are freed after each image.
"""

import mmap
from dataclasses import dataclass
from math import prod

import numpy as np

from dctnet.arrays import Pixels
from dctnet.memory import KEPT_ALPHA_FACTOR, RESPONSE_BYTES_PER_10_PIXELS

ENCODED_FIXED_BYTES = 64 * 1024
"""Bytes that an encoded image may take beyond those per pixel: headers, and rows of thin images."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets of the parts, each a multiple of the page size."""

    max_body_bytes: int
    max_pixels: int

    @property
    def pixels(self) -> int:
        """Offset of the pixels, first those of the image and then those of its cartoon."""
        return _round_up(self.max_body_bytes)

    @property
    def alpha(self) -> int:
        """Offset of the image's alpha."""
        return self.pixels + _round_up(3 * self.max_pixels)

    @property
    def encoded(self) -> int:
        """Offset of the encoded cartoon."""
        return self.alpha + _round_up(self.max_pixels // KEPT_ALPHA_FACTOR)

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        largest = RESPONSE_BYTES_PER_10_PIXELS * self.max_pixels // 10 + ENCODED_FIXED_BYTES
        return self.encoded + _round_up(largest)

    def image(self, memory: mmap.mmap, shape: tuple[int, int, int]) -> Pixels:
        """Return the pixels, HxWx3 uint8; raise ValueError if they are too many."""
        if min(shape) < 1 or prod(shape) > 3 * self.max_pixels or shape[2] != 3:
            raise ValueError(f"{shape} is not a shape of at most {self.max_pixels} pixels.")
        flat: Pixels = np.frombuffer(memory, np.uint8, prod(shape), self.pixels)
        return flat.reshape(shape)

    def alpha_of(self, memory: mmap.mmap, shape: tuple[int, int]) -> Pixels:
        """Return the alpha, HxW uint8; raise ValueError if it is too large."""
        if min(shape) < 1 or prod(shape) > self.max_pixels // KEPT_ALPHA_FACTOR:
            raise ValueError(f"{shape} is not the shape of an alpha that may be kept.")
        flat: Pixels = np.frombuffer(memory, np.uint8, prod(shape), self.alpha)
        return flat.reshape(shape)


def _round_up(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
