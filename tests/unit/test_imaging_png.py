"""PNG files are parsed: only what the pixels need reaches the decoder."""

import zlib

import pytest

from dctnet.imaging import DamagedImage
from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES
from dctnet.imaging.png import read
from tests.support.encoded_images import format_variants
from tests.support.formats import PNG_SIGNATURE, chunk, png, png_header, with_chunks

PNG = format_variants()["PNG"]


@pytest.mark.promise("Privacy: metadata of a JPEG or PNG does not reach the decoder")
@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"acTL", b"fdAT", b"pHYs", b"prIv"])
def test_other_chunks_do_not_reach_the_decoder(name):
    assert read(with_chunks(PNG, chunk(name, b"x\0\0x"))).data == PNG


def test_trailing_data_does_not_reach_the_decoder():
    assert read(PNG + PNG).data == PNG


def test_pixel_chunks_are_joined():
    pixels = zlib.compress(bytes(25 * 40))
    parts = [chunk(b"IDAT", pixels[at : at + 1]) for at in range(len(pixels))]
    header = png_header(24, 40, 8, 0)
    whole = header + chunk(b"IDAT", pixels) + chunk(b"IEND")
    assert read(header + b"".join(parts) + chunk(b"IEND")).data == whole


def test_missing_end_chunk_is_accepted():
    assert read(PNG[:-12]).data == PNG
    assert read(PNG[:-5]).data == PNG


def test_chunk_limit():
    texts = chunk(b"tEXt") * (MAX_CHUNKS - 3)  # Beside the header, the pixels and the end.
    assert read(with_chunks(PNG, texts)).data == PNG
    with pytest.raises(DamagedImage, match=f"more than {MAX_CHUNKS} chunks"):
        read(with_chunks(PNG, texts, chunk(b"tEXt")))


def with_profile(profile: bytes, cut: int = 0) -> bytes:
    deflated = zlib.compress(profile)
    return with_chunks(PNG, chunk(b"iCCP", b"name\0\0" + deflated[: len(deflated) - cut]))


def test_profile_size_limit():
    assert read(with_profile(bytes(MAX_PROFILE_BYTES))).profile == bytes(MAX_PROFILE_BYTES)
    assert read(with_profile(bytes(MAX_PROFILE_BYTES + 1))).profile == b""


def test_damaged_profile_is_ignored():
    assert read(with_profile(bytes(99), cut=5)).profile == b""
    assert read(with_chunks(PNG, chunk(b"iCCP", b"no zero"))).profile == b""


def test_damaged_ancillary_chunk_is_ignored():
    damaged = bytearray(chunk(b"tRNS", bytes(6)))
    damaged[-1] ^= 1
    assert read(with_chunks(PNG, bytes(damaged))).data == PNG


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PNG_SIGNATURE, "no header"),
        (PNG_SIGNATURE + PNG[33:], "begin with its header"),
        (PNG[:33] + PNG[-12:], "no pixels"),
        (with_chunks(PNG, PNG[8:33]), "two chunks IHDR"),
        (with_chunks(PNG, chunk(b"CgBI")), "unknown critical"),
        (PNG[:29] + b"\0\0\0\0" + PNG[33:], "IHDR is damaged"),
        (PNG[:-13], "cut off"),
    ],
)
def test_damaged_critical_chunk_is_rejected(data, words):
    with pytest.raises(DamagedImage, match=words):
        read(data)


@pytest.mark.parametrize(
    ("depth", "colour", "given", "fitted"),
    [
        (1, 0, b"\0\1", b"\0\xff"),
        (2, 0, b"\0\2", b"\0\xaa"),
        (4, 0, b"\0\5", b"\0\x55"),
        (4, 0, b"\0\x10", b"\0\xff"),
        (8, 0, b"\0\5", b"\0\5"),
        (16, 0, b"\5\6", b"\5\6"),
        (8, 2, b"\0\1\0\2\0\3", b"\0\1\0\2\0\3"),
        (16, 2, b"\1\xff\2\xff\3\xff", b"\0\1\0\2\0\3"),
        (8, 3, b"\1\2\3", b"\1\2"),
    ],
)
def test_transparent_colour_is_adapted_to_decoded_pixels(depth, colour, given, fitted):
    palette = chunk(b"PLTE", bytes(6))
    header = png_header(1, 1, depth, colour)
    expected = png(header, bytes(9), palette, chunk(b"tRNS", fitted))
    assert read(png(header, bytes(9), palette, chunk(b"tRNS", given))).data == expected
