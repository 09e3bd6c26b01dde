"""How much an AV1 stream makes its decoder do, told without decoding it."""

from collections.abc import Iterator
from typing import Final

from dctnet.imaging.errors import BrokenPicture

MAX_UNITS: Final = 10_000
"""The most units (OBUs) in a picture's stream: one a tile, of which AV1 allows 4096, and a few."""

_SEQUENCE_HEADER: Final = 1
_FRAME_HEADER, _FRAME = 3, 6
_SEQUENCE_HEADER_BYTES: Final = 1024
"""What is read of it: 32 operating points, with all their options, take less."""


def coded_pixels(stream: bytes) -> int:
    """Return the most pixels that the frames of a stream can have together.

    Raises:
        BrokenPicture: It has more than ``MAX_UNITS``.
    """
    total = size = 0
    for units, (kind, body) in enumerate(_units(stream), 1):
        if units > MAX_UNITS:
            raise BrokenPicture(f"The AVIF has more than {MAX_UNITS} units of AV1 in a picture.")
        if kind == _SEQUENCE_HEADER:
            size = max(size, _largest_frame(body))
        elif kind in {_FRAME_HEADER, _FRAME}:
            total += size
    return total


def _units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the beginning of each unit."""
    position = 0
    while position < len(stream):
        header = stream[position]
        position += 2 if header & 4 else 1  # An extension follows.
        length = len(stream) - position
        if header & 2:  # The length follows, seven bits a byte, the lowest first.
            length = 0
            for shift in range(0, 56, 7):
                byte = int.from_bytes(stream[position : position + 1])
                position += 1
                length |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
        yield header >> 3 & 15, stream[position : position + min(length, _SEQUENCE_HEADER_BYTES)]
        position += length


class _Bits:
    """The bits of some bytes, the highest first; zeros follow the last."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data) << 8 * (_SEQUENCE_HEADER_BYTES - len(data))
        self._left = 8 * _SEQUENCE_HEADER_BYTES

    def take(self, count: int) -> int:
        self._left = max(0, self._left - count)
        return self._bits >> self._left & (1 << count) - 1

    def skip_variable(self) -> None:
        """Skip a number whose length is the number of zeros before its first one."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        self.take(zeros if zeros < 32 else 0)


def _largest_frame(sequence_header: bytes) -> int:
    """Return the most pixels of one frame; the names are those of the AV1 specification, 5.5."""
    bits = _Bits(sequence_header)
    bits.take(4)  # seq_profile, still_picture
    reduced_still_picture_header = bits.take(1)
    if reduced_still_picture_header:
        bits.take(5)  # seq_level_idx
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    if reduced_still_picture_header:
        return (bits.take(width_bits) + 1) * (bits.take(height_bits) + 1)
    return 1 << width_bits + height_bits  # Each frame may have a size of its own.


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing_info_present_flag
        bits.take(64)
        if bits.take(1):  # equal_picture_interval
            bits.skip_variable()
        if bits.take(1):  # decoder_model_info_present_flag
            delay_bits = bits.take(5) + 1
            bits.take(42)
    initial_display_delay_present = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)  # operating_point_idc
        if bits.take(5) > 7:  # seq_level_idx
            bits.take(1)  # seq_tier
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if initial_display_delay_present and bits.take(1):
            bits.take(4)
