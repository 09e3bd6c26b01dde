"""What an AV1 stream makes its decoder do is told without decoding it."""

import pytest

from dctnet.imaging import BrokenPicture
from dctnet.imaging.av1 import MAX_UNITS, coded_pixels

FRAME = b"\x32\x01\0"
"""A unit that says that it is a frame of one byte."""
PADDING = b"\x7a\0"


def sequence(*fields: tuple[int, int]) -> bytes:
    """The unit of a sequence header, of fields as (value, bits)."""
    text = "".join(f"{value:0{bits}b}" for value, bits in fields)
    body = int(text.ljust(-8 * (-len(text) // 8), "0"), 2).to_bytes(-(-len(text) // 8))
    return b"\x0a" + bytes((len(body),)) + body


STILL = ((0, 3), (1, 1), (1, 1), (8, 5))
"""A still picture with the short header."""
SIDES = ((9, 4), (8, 4), (999, 10), (299, 9))
"""1000 x 300 pixels in 10 and 9 bits."""
ONE_POINT = ((0, 1), (0, 5), (0, 12), (8, 5), (0, 1))
"""No display delays, and one operating point of a level that has a tier."""
PLAIN = ((0, 3), (0, 1), (0, 1), (0, 1), *ONE_POINT)
"""The long header without timing."""
TIMED = (
    *((0, 3), (0, 1), (0, 1), (1, 1), (1, 32), (1, 32)),
    *((1, 1), (0, 3), (1, 1), (5, 3)),  # An equal interval, whose number has three zeros.
    *((1, 1), (9, 5), (1, 32), (3, 5), (3, 5)),  # Delays have ten bits.
    *((1, 1), (1, 5)),
    *((0, 12), (7, 5), (1, 1), (0, 21), (1, 1), (3, 4)),
    *((0, 12), (9, 5), (1, 1), (0, 1), (0, 1)),
)
"""The long header with all its options, and two operating points."""


def test_a_still_picture_is_as_large_as_its_header_says() -> None:
    assert coded_pixels(sequence(*STILL, *SIDES) + FRAME) == 1000 * 300


@pytest.mark.parametrize("head", [PLAIN, TIMED])
def test_the_frames_of_an_animation_may_be_as_large_as_their_bits_allow(
    head: tuple[tuple[int, int], ...],
) -> None:
    assert coded_pixels(sequence(*head, *SIDES) + FRAME) == 1024 * 512


def test_each_frame_counts_with_the_largest_header_before_it() -> None:
    small = sequence(*STILL, (3, 4), (3, 4), (9, 4), (9, 4))
    large = sequence(*STILL, *SIDES)
    assert coded_pixels(small + FRAME + large + FRAME + small + FRAME) == 100 + 2 * 300_000


def test_other_units_do_not_count() -> None:
    assert coded_pixels(b"\x12\0" + sequence(*STILL, *SIDES) + PADDING + FRAME) == 300_000


def test_a_unit_without_a_length_goes_on_to_the_end() -> None:
    assert coded_pixels(sequence(*STILL, *SIDES) + b"\x30" + FRAME * 9) == 300_000


def test_a_unit_with_an_extension_is_read_past_it() -> None:
    header = sequence(*STILL, *SIDES)
    assert coded_pixels(b"\x0e\0" + header[1:] + FRAME) == 300_000


@pytest.mark.parametrize(
    "data", [b"", b"\x0a", b"\x0a\x05", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff", FRAME]
)
def test_damaged_streams_code_nothing(data: bytes) -> None:
    assert coded_pixels(data) == 0


def test_as_many_units_as_allowed_pass_and_one_more_does_not() -> None:
    assert coded_pixels(PADDING * MAX_UNITS) == 0
    with pytest.raises(BrokenPicture, match=f"more than {MAX_UNITS} units"):
        coded_pixels(PADDING * (MAX_UNITS + 1))
