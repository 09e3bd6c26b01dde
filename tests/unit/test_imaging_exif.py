"""Only the orientation is read from EXIF data."""

import struct

import pytest
from PIL import Image

from dctnet.imaging.exif import orientation


def exif(order: str, *entries: tuple[int, int, int, int]) -> bytes:
    """EXIF data of entries: their tag, type, count and 16-bit value."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    body = b"".join(struct.pack(f"{order}HHIHxx", *entry) for entry in entries)
    return b"Exif\0\0" + mark + struct.pack(f"{order}IH", 8, len(entries)) + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_read_in_both_byte_orders(order, value):
    data = exif(order, (0x010F, 2, 1, 7), (0x0112, 3, 1, value), (0x0131, 2, 1, 7))
    assert orientation(data) == value
    assert orientation(data.removeprefix(b"Exif\0\0")) == value


def test_orientation_written_by_pillow_is_read():
    data = Image.Exif()
    data[0x010E], data[0x0112] = "a long description", 5
    assert orientation(data.tobytes()) == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"no EXIF data at all",
        exif("<"),
        exif("<", (0x0112, 3, 1, 0)),
        exif("<", (0x0112, 3, 1, 9)),
        exif("<", (0x0112, 3, 2, 6)),
        exif("<", (0x0112, 2, 1, 6)),
        exif("<", (0x0112, 3, 1, 6))[:-3],
        b"MM\0*\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
    ],
)
def test_damaged_or_missing_orientation_is_1(data):
    assert orientation(data) == 1
