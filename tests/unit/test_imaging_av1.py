"""Frame sizes of AV1 streams are read without decoding."""

import pytest

from dctnet.imaging import DamagedImage
from dctnet.imaging.av1 import MAX_HIGH_BITDEPTH_FRAMES, MAX_OBUS, frame_pixels

Fields = tuple[tuple[int, int], ...]
"""As (value, bits)."""


def unit(kind: int, *fields: tuple[int, int]) -> bytes:
    text = "".join(f"{value:0{bits}b}" for value, bits in fields)
    text += "0" * (-len(text) % 8)
    body = int(text, 2).to_bytes(len(text) // 8)
    return bytes((kind << 3 | 2, len(body))) + body


def sequence(*fields: tuple[int, int]) -> bytes:
    return unit(1, *fields)


FRAME = unit(6, (0, 8))
"""A frame, of a sequence with the short header."""
PADDING = b"\x7a\0"

STILL = ((0, 3), (1, 1), (1, 1), (8, 5))
"""A still image with the short header."""
SIDES = ((9, 4), (8, 4), (999, 10), (299, 9))
"""1000 x 300 pixels in 10 and 9 bits."""
EXACT, MOST = 1000 * 300, 1024 * 512

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
UNEVEN = (
    *((0, 3), (0, 1), (0, 1), (1, 1), (1, 32), (1, 32), (0, 1)),
    *((1, 1), (9, 5), (1, 32), (3, 5), (6, 5), (0, 1), (0, 5)),
    *((0, 12), (0, 5), (0, 1)),
)
"""The long header of frames that have presentation times, of seven bits."""

FREE = ((0, 1), (0, 7), (0, 1), (1, 1), (1, 1))
"""Options of a sequence: no numbers of frames, and each frame chooses its tools."""
NUMBERED = (
    *((1, 1), (3, 4), (2, 3), (0, 7), (1, 1), (0, 2)),
    *((0, 1), (1, 1), (0, 1), (0, 1), (3, 3)),
)
"""Numbers of eight bits, order hints of four, and screen content tools for all frames."""
WITHOUT_TOOLS = ((0, 1), (0, 7), (0, 1), (0, 1), (0, 1))

SHOWN_KEY, HIDDEN_KEY = ((0, 1), (0, 2), (1, 1)), ((0, 1), (0, 2), (0, 1), (1, 1), (0, 1))
SWITCH = ((0, 1), (3, 2), (1, 1))
REPEATED = ((1, 1),)


def sizes(*units: bytes) -> list[int]:
    (found,) = frame_pixels([(b"".join(units), 1)])
    return found


def test_still_image_size_is_read_from_header():
    assert sizes(sequence(*STILL, *SIDES), FRAME) == [EXACT]


OWN = ((499, 10), (199, 9))
"""500 x 200 pixels, where a frame has a size of its own."""


@pytest.mark.parametrize(
    ("head", "options", "frame", "own"),
    [
        (PLAIN, FREE, (*SHOWN_KEY, (0, 1), (0, 1)), 500 * 200),
        (PLAIN, FREE, (*SHOWN_KEY, (0, 1), (1, 1), (0, 1)), 500 * 200),
        (PLAIN, NUMBERED, (*SHOWN_KEY, (0, 1), (77, 8)), 500 * 200),
        (PLAIN, WITHOUT_TOOLS, (*SHOWN_KEY, (0, 1)), 500 * 200),
        (PLAIN, WITHOUT_TOOLS, (*HIDDEN_KEY, (0, 1)), MOST),
        (TIMED, FREE, (*HIDDEN_KEY, (1, 1), (0, 1)), MOST),
        (UNEVEN, FREE, (*SHOWN_KEY, (0, 7), (0, 1), (0, 1)), MOST),
        (UNEVEN, FREE, (*HIDDEN_KEY, (0, 1), (0, 1)), MOST),
    ],
)
def test_frame_size_override(head, options, frame, own):
    """The size of a later frame depends on earlier frames."""
    header = sequence(*head, *SIDES, *options)
    hint = ((3, 4),) if options is NUMBERED else ()
    assert sizes(header, unit(6, *frame, (1, 1), *hint, *OWN)) == [own]
    assert sizes(header, unit(6, *frame, (0, 1), (2**20 - 1, 20))) == [EXACT]


@pytest.mark.parametrize("frame", [SWITCH, REPEATED])
def test_frame_size_from_reference_is_bounded_by_bits(frame):
    assert sizes(sequence(*PLAIN, *SIDES, *FREE), unit(6, *frame, (0, 20))) == [MOST]


def test_frame_uses_preceding_sequence_header():
    small = sequence(*STILL, (3, 4), (3, 4), (9, 4), (9, 4))
    large = sequence(*STILL, *SIDES)
    assert sizes(small, FRAME, large, FRAME, FRAME, small, FRAME) == [100, EXACT, EXACT, 100]


@pytest.mark.parametrize("kind", [3, 6, 7])
def test_every_type_of_frame_header_is_counted(kind):
    """dav1d takes a redundant header for the first if there was no other."""
    assert sizes(sequence(*STILL, *SIDES), unit(kind, (0, 8))) == [EXACT]


@pytest.mark.parametrize(
    "head", [(*STILL, *SIDES, (0, 3)), (*PLAIN, *SIDES, *FREE)], ids=["short", "long"]
)
def test_high_bitdepth_frame_limit(head):
    """A decoder keeps several of them, and each takes twice the memory."""
    frame = unit(6, *SHOWN_KEY, (0, 20))
    shallow, deep = (sequence(*head, (0, 3), (high_bitdepth, 1)) for high_bitdepth in (0, 1))
    assert len(sizes(deep, *[frame] * MAX_HIGH_BITDEPTH_FRAMES)) == MAX_HIGH_BITDEPTH_FRAMES
    assert (
        len(sizes(shallow, *[frame] * (MAX_HIGH_BITDEPTH_FRAMES + 1)))
        == MAX_HIGH_BITDEPTH_FRAMES + 1
    )
    with pytest.raises(DamagedImage, match="2 layers of more than 8 bits per sample; at most 1"):
        sizes(deep, *[frame] * (MAX_HIGH_BITDEPTH_FRAMES + 1))


def test_other_obus_are_ignored():
    assert sizes(b"\x12\0", sequence(*STILL, *SIDES), PADDING, unit(4, (0, 8)), FRAME) == [EXACT]


def test_obu_without_length_extends_to_the_end():
    assert sizes(sequence(*STILL, *SIDES), b"\x30", FRAME * 9) == [EXACT]


def test_obu_extension_is_skipped():
    header = sequence(*STILL, *SIDES)
    assert sizes(b"\x0e\0" + header[1:], FRAME) == [EXACT]


@pytest.mark.parametrize(
    "data", [b"", b"\x0a", b"\x0a\x05", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff"]
)
def test_damaged_streams_have_no_frames(data):
    assert sizes(data) == []


def test_truncated_header_is_padded_with_zeros():
    assert sizes(sequence(*STILL, (0, 4)), FRAME) == [1]


def test_each_stream_has_its_own_sequence_header():
    first = sequence(*STILL, *SIDES) + FRAME
    assert list(frame_pixels([(first, 1), (b"", 1), (first, 1)])) == [[EXACT], [], [EXACT]]
    with pytest.raises(DamagedImage, match="no sequence header"):
        list(frame_pixels([(first, 1), (FRAME, 1)]))


@pytest.mark.parametrize("times", [1, 2])
def test_obu_limit(times):
    """The limit counts all streams, as often as they are decoded."""
    half = PADDING * (MAX_OBUS // 2 // times), times
    assert list(frame_pixels([half, half])) == [[], []]
    with pytest.raises(DamagedImage, match=f"more than {MAX_OBUS} units"):
        list(frame_pixels([half, half, (PADDING, 1)]))
