"""Size and metadata of WebP files are read before decoding."""

import pytest

from dctnet.imaging import DamagedImage
from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES
from dctnet.imaging.webp import read
from tests.support.encoded_images import encoded, format_variants, gradient
from tests.support.formats import webp, webp_canvas, webp_chunk

LOSSLESS = format_variants()["lossless WebP"]


@pytest.mark.parametrize("kind", [kind for kind in format_variants() if "WebP" in kind])
def test_size_is_read_for_each_codec(kind):
    container = read(format_variants()[kind])
    assert (container.width, container.height) == (24, 40)
    assert container.data == format_variants()[kind]


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (16383, 3), (3, 16383)])
def test_all_side_lengths_are_read(height, width, lossless):
    container = read(encoded(gradient(height, width), "WEBP", lossless=lossless))
    assert (container.width, container.height) == (width, height)


def with_chunks(*chunks: bytes) -> bytes:
    return webp(webp_canvas(24, 40, flags=0x28), *chunks, LOSSLESS[12:])


def test_metadata_are_found_between_other_chunks():
    exif = webp_chunk(b"EXIF", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0")
    data = with_chunks(webp_chunk(b"odd ", b"x"), webp_chunk(b"ICCP", b"profile"), exif)
    container = read(data)
    assert (container.profile, container.orientation) == (b"profile", 6)


def test_chunk_limit():
    chunks = webp_chunk(b"odd ") * (MAX_CHUNKS - 2)  # Beside the canvas and the pixels.
    assert read(with_chunks(chunks)).width == 24
    with pytest.raises(DamagedImage, match=f"more than {MAX_CHUNKS} chunks"):
        read(with_chunks(chunks, webp_chunk(b"odd ")))


def test_profile_size_limit():
    profile = bytes(MAX_PROFILE_BYTES)
    assert read(with_chunks(webp_chunk(b"ICCP", profile))).profile == profile
    assert read(with_chunks(webp_chunk(b"ICCP", profile + b"x"))).profile == b""


@pytest.mark.parametrize("length", [12, 16, 20, 29])
def test_truncated_header_is_rejected(length):
    for kind in "WebP", "lossless WebP", "animated WebP":
        with pytest.raises(DamagedImage, match="header is damaged or cut off"):
            read(format_variants()[kind][:length])
