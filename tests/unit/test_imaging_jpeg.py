"""JPEG files are parsed: only what the pixels need reaches the decoder."""

import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import DamagedImage, UnsupportedFormat, decode
from dctnet.imaging.container import MAX_PROFILE_BYTES
from dctnet.imaging.jpeg import END, MAX_SCANS, MAX_SEGMENTS, read
from tests.support.encoded_images import encoded, format_variants, gradient
from tests.support.formats import segment, with_scans, with_segments

JPEG = format_variants()["JPEG"]
EXIF, PROFILE, COMMENT = 0xE1, 0xE2, 0xFE
ENOUGH = 10**6


@pytest.mark.promise("Privacy: metadata of a JPEG or PNG does not reach the decoder")
@pytest.mark.parametrize("marker", [COMMENT, EXIF, PROFILE, 0xED, 0xEF])
def test_metadata_do_not_reach_the_decoder(marker):
    assert read(with_segments(JPEG, segment(marker, b"Exif\0\0 MPF\0 8BIM"))).data == JPEG


def test_trailing_data_does_not_reach_the_decoder():
    assert read(JPEG + b"PK\x03\x04" + JPEG).data == JPEG


@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG", "grey JPEG", "CMYK JPEG"])
def test_file_without_metadata_is_unchanged(kind):
    assert read(format_variants()[kind]).data == format_variants()[kind]


def test_first_exif_segment_is_used():
    first, second = (Image.Exif() for _ in range(2))
    first[0x0112], second[0x0112] = 3, 6
    data = with_segments(JPEG, segment(EXIF, first.tobytes()), segment(EXIF, second.tobytes()))
    assert read(data).orientation == 3


def test_scan_limit():
    progressive = format_variants()["progressive JPEG"]
    data = with_scans(progressive, MAX_SCANS)
    assert read(data).data == data
    with pytest.raises(DamagedImage, match=f"more than {MAX_SCANS} scans"):
        read(with_scans(progressive, MAX_SCANS + 1))


def test_scan_marker_in_metadata_is_ignored():
    comment = segment(COMMENT, with_scans(format_variants()["progressive JPEG"], 2 * MAX_SCANS))
    assert read(with_segments(JPEG, comment)).data == JPEG


def test_segment_limit():
    # Of JFIF, two of quantization, the frame, four of Huffman tables, and the scan.
    comments = segment(COMMENT, b"") * (MAX_SEGMENTS - 9)
    assert read(with_segments(JPEG, comments)).data == JPEG
    with pytest.raises(DamagedImage, match=f"more than {MAX_SEGMENTS} segments"):
        read(with_segments(JPEG, comments, segment(COMMENT, b"")))


def in_parts(profile: bytes) -> bytes:
    """A JPEG with the profile in parts of at most 64 KiB, the last one first."""
    size = 65_519
    parts = [profile[at : at + size] for at in range(0, len(profile), size)]
    labelled = [
        segment(PROFILE, b"ICC_PROFILE\0" + bytes((number, len(parts))) + part)
        for number, part in enumerate(parts, 1)
    ]
    return with_segments(JPEG, *reversed(labelled))


def test_profile_size_limit():
    profile = bytes(range(256)) * (MAX_PROFILE_BYTES // 256)
    assert read(in_parts(profile)).profile == profile
    assert read(in_parts(profile + b"x")).profile == b""


def test_incomplete_profile_is_ignored():
    second_of_two = segment(PROFILE, b"ICC_PROFILE\0\x02\x02 profile")
    assert read(with_segments(JPEG, second_of_two)).profile == b""
    assert read(with_segments(JPEG, second_of_two, second_of_two)).profile == b""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (JPEG[:3], "cut off"),
        (JPEG[:200], "cut off"),
        (JPEG[:2] + b"\xff\xd9" + JPEG[2:], "cut off"),
        (JPEG[:2] + JPEG[JPEG.index(b"\xff\xda") :], "no frame header"),
        (with_segments(JPEG, segment(0xC0, bytes(15))), "two frame headers"),
    ],
)
def test_damaged_header_is_rejected(data, words):
    with pytest.raises(DamagedImage, match=words):
        read(data)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_missing_end_marker_is_accepted_and_missing_pixels_are_not(progressive, subsampling):
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    for image in noise, gradient(90, 120):
        data = encoded(image, "JPEG", progressive=progressive, subsampling=subsampling)
        assert data.endswith(END)
        whole = decode(data, ENOUGH)
        np.testing.assert_array_equal(decode(data[:-2], ENOUGH), whole)
        for missing in range(4, 40):
            with pytest.raises(DamagedImage, match="cut off"):
                decode(data[:-missing], ENOUGH)


@pytest.mark.parametrize("marker", [0xE0, 0xEE])
def test_short_segments_are_ignored_as_by_libjpeg(marker):
    data = encoded(gradient(40, 24), "JPEG")
    whole = decode(data, ENOUGH)
    for body in b"", b"J", b"JFIF\0", b"Adobe", b"JFIF\0\1\1\0\0\1\0\1\0", b"Adobe\0\x64\0\0\0\0":
        short = with_segments(data, segment(marker, body))
        np.testing.assert_array_equal(decode(short, ENOUGH), whole)


@pytest.mark.parametrize("bits", [12, 16])
def test_more_bits_per_channel_are_named(bits):
    data = bytearray(encoded(gradient(40, 24), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = bits
    with pytest.raises(UnsupportedFormat, match=f"^The JPEG has {bits} bits per channel"):
        read(bytes(data))
