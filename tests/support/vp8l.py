"""Lossless WebP bitstreams (VP8L), written bit by bit."""

import struct
from collections.abc import Sequence

from tests.support.formats import webp, webp_chunk

TRIVIAL = (4, 0b0001)
"""Code of the single symbol 0, which takes no bits: (length in bits, bits)."""


class BitWriter:
    """Writer of bits, least significant first."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def put(self, count: int, bits: int) -> None:
        self._parts.append(f"{bits:0{count}b}"[::-1] if count else "")

    def put_symbol(self, symbol: int) -> None:
        """Write a symbol of a ``put_flat_code``: codes begin with their highest bit."""
        self._parts.append(f"{symbol:08b}")

    def put_flat_code(self, alphabet: int) -> None:
        """Write the code of 256 symbols that have 8 bits each."""
        self.put(1, 0)
        # The code of code lengths has the symbol 8 alone, the twelfth in their order.
        self.put(4, 12 - 4)
        self.put(3 * 12, 1 << 3 * 11)
        self.put(1, alphabet > 256)
        if alphabet > 256:
            self.put(3, 3)
            self.put(8, 256 - 2)

    def put_codes(self, codes: Sequence[tuple[int, int]]) -> None:
        for code in codes:
            self.put(*code)

    def getvalue(self) -> bytes:
        bits = "".join(self._parts)[::-1]
        return int(bits, 2).to_bytes(-(-len(bits) // 8), "little")


def lossless(side: int, block_bits: int, groups: int, *, transforms: Sequence[int] = ()) -> bytes:
    """Return a black WebP of side x side pixels with an entropy image.

    Args:
        side: In pixels.
        block_bits: The power of two of the sides of a block, 2 to 9.
        groups: How many groups of Huffman codes the blocks select in turn.
        transforms: Transforms of black blocks: 0 for predictors, 1 for colors, 2 for green, 3 for
            an index of 256 colors.
    """
    return webp(webp_chunk(b"VP8L", header(side) + stream(side, block_bits, groups, transforms)))


def header(side: int) -> bytes:
    """Return the header of a VP8L chunk."""
    return struct.pack("<BI", 0x2F, side - 1 | side - 1 << 14)


def stream(side: int, block_bits: int, groups: int, transforms: Sequence[int] = ()) -> bytes:
    bits = BitWriter()
    for transform in transforms:
        bits.put(3, 1 | transform << 1)
        if transform in (0, 1):
            bits.put(3, 2)  # Blocks of 16 pixels.
        if transform == 3:
            bits.put(8, 255)
        if transform != 2:
            _put_image(bits, 256 if transform == 3 else (-(-side // 16)) ** 2)
    bits.put(1, 0)  # No more transforms.
    bits.put(1, 0)  # No color cache.
    bits.put(1, 1)
    bits.put(3, block_bits - 2)
    bits.put(1, 0)
    bits.put_flat_code(280)
    bits.put_flat_code(256)
    bits.put_codes([TRIVIAL] * 3)
    for block in range((-(-side // (1 << block_bits))) ** 2):
        bits.put_symbol(block % groups & 0xFF)
        bits.put_symbol(block % groups >> 8)
    for _ in range(groups):
        bits.put_codes([TRIVIAL] * 5)
    return bits.getvalue()


def _put_image(bits: BitWriter, pixels: int) -> None:
    """Write a black image that has a color cache and codes of many symbols, but no references."""
    bits.put(1, 1)
    bits.put(4, 3)
    bits.put_flat_code(288)
    bits.put_flat_code(256)
    bits.put_codes([TRIVIAL] * 3)
    for _ in range(pixels):
        bits.put_symbol(0)
        bits.put_symbol(0)
