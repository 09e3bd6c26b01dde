"""Untrusted bytes are decoded to the image that a viewer shows, or rejected."""

import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import (
    DamagedImage,
    TooManyPixels,
    UnsupportedFormat,
    decode,
    inspect,
)
from dctnet.imaging.decode import MAX_SIDE
from tests.support.encoded_images import encoded, format_variants, gradient, without_adobe_marker
from tests.support.formats import chunk, exif, png, png_header, segment, with_chunks, with_segments
from tests.support.profiles import lab, red_and_blue_exchanged

ENOUGH = 1_000_000


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [
        ("PNG", 0),
        ("transparent PNG", 0),
        ("animated PNG", 0),
        ("lossless WebP", 0),
        ("JPEG", 8),
        ("turned JPEG", 8),
        ("CMYK JPEG", 12),
        ("WebP", 12),
        ("animated WebP", 12),
        ("AVIF", 12),
        ("turned AVIF", 12),
        ("animated AVIF", 12),
    ],
)
def test_colours_are_preserved(kind, tolerance):
    rgb = decode(format_variants()[kind], ENOUGH).astype(int)
    assert np.abs(rgb - gradient(40, 24)).max() <= tolerance


def test_grey_has_three_equal_channels():
    grey = gradient(7, 9)[:, :, 0]
    for data in encoded(grey), encoded(Image.fromarray(grey).convert("LA")):
        np.testing.assert_array_equal(decode(data, ENOUGH), np.stack([grey] * 3, axis=-1))


def test_transparency_is_composited_on_white():
    rgba = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [200, 0, 100, 128]]], np.uint8)
    rgb = decode(encoded(rgba), ENOUGH).astype(int)
    assert np.abs(rgb - [[[255, 255, 255], [0, 0, 0], [227, 127, 177]]]).max() <= 1


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (Image.new("RGBA", (2, 1), (9, 9, 9, 77)), {}),
        (Image.new("LA", (2, 1), (9, 77)), {}),
        (Image.new("P", (2, 1)), {"transparency": bytes([77])}),
        (Image.new("RGBA", (2, 1), (9, 9, 9, 77)), {"format": "WEBP", "lossless": True}),
        (Image.new("RGBA", (2, 1), (9, 9, 9, 77)), {"format": "AVIF", "quality": 100}),
    ],
    ids=["RGBA", "LA", "P", "WebP", "AVIF"],
)
def test_alpha_of_any_kind_is_kept_and_the_background_shows(image, options):
    alpha = np.zeros((1, 2), np.uint8)
    rgb = decode(
        encoded(image, **options), ENOUGH, background=(0, 0, 255), allocate_alpha=lambda _: alpha
    )
    assert np.abs(alpha.astype(int) - 77).max() <= 1
    assert np.abs(rgb[0, 0].astype(int) - [3, 3, 178]).max() <= 3


def test_alpha_of_an_opaque_image_is_not_asked_for():
    decode(encoded(gradient(4, 4)), ENOUGH, allocate_alpha=pytest.fail)


def test_transparent_palette_colour_becomes_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    rgb = decode(encoded(image, transparency=0), ENOUGH)
    np.testing.assert_array_equal(rgb, [[[255, 255, 255], [40, 50, 60]]])


def test_16_bit_grey_is_scaled_and_transparent_shade_becomes_white():
    wide = np.array([[0, 257, 4660, 32896, 65535]], np.uint16)
    for options, shade in ({}, 18), ({"transparency": 4660}, 255):
        rgb = decode(encoded(wide, **options), ENOUGH)
        np.testing.assert_array_equal(rgb[0, :, 0], [0, 1, shade, 128, 255])


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_transparent_shade_of_low_bit_depth_becomes_white(depth):
    """The second of four pixels; Pillow takes the shade as 8-bit."""
    most = 2**depth - 1
    row = "".join(f"{shade:0{depth}b}" for shade in (0, most, 0, 0)).ljust(16, "0")
    rows = b"\0" + int(row, 2).to_bytes(2)[: max(1, depth // 2)]
    header = png_header(4, 1, depth, 0)
    for transparent, expected in (most, [0, 255, 0, 0]), (0, [255, 255, 255, 255]):
        key = chunk(b"tRNS", transparent.to_bytes(2))
        np.testing.assert_array_equal(
            decode(png(header, rows, key), ENOUGH)[0, :, 0], expected, str(transparent)
        )


def test_transparent_16_bit_colour_becomes_white():
    header = png_header(2, 1, 16, 2)
    rows = b"\0" + bytes.fromhex("123456789abc 000000000000")
    rgb = decode(png(header, rows, chunk(b"tRNS", bytes.fromhex("123456789abc"))), ENOUGH)
    np.testing.assert_array_equal(rgb, [[[255] * 3, [0] * 3]])


@pytest.mark.parametrize(("colour", "pixel"), [(4, "8000 8000"), (6, "8000 8000 8000 8000")])
def test_16_bit_alpha_is_composited_on_white(colour, pixel):
    rows = b"\0" + bytes.fromhex(pixel)
    rgb = decode(png(png_header(1, 1, 16, colour), rows), ENOUGH).astype(int)
    assert np.abs(rgb - 191).max() <= 1


def test_cmyk_is_inverted_with_and_without_adobe_marker():
    """As every browser does; the others write no CMYK JPEG."""
    white = encoded(Image.new("CMYK", (16, 16)), "JPEG")
    for data in white, without_adobe_marker(white):
        np.testing.assert_array_equal(decode(data, ENOUGH), np.full((16, 16, 3), 255))


def test_first_image_of_a_multi_image_jpeg_is_decoded():
    first, second = (Image.new("RGB", (16, 16), colour) for colour in ("white", "black"))
    rgb = decode(encoded(first, "MPO", save_all=True, append_images=[second]), ENOUGH)
    np.testing.assert_array_equal(rgb, np.full((16, 16, 3), 255))


def test_first_animation_frame_keeps_its_canvas_position():
    frames = [Image.new("RGBA", (8, 8), (0, 0, 0, 0)) for _ in range(2)]
    frames[0].paste("red", (2, 2, 6, 6))
    data = encoded(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:])
    expected = np.full((8, 8, 3), 255)
    expected[2:6, 2:6] = (255, 0, 0)
    np.testing.assert_array_equal(decode(data, ENOUGH), expected)


@pytest.mark.promise("Input: an image of any allowed kind comes back upright and at its own size")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_exif_orientation_is_applied(orientation):
    upright = gradient(6, 4)
    # What a camera stores so that the orientation's turn gives the upright image.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    rgb = decode(encoded(np.ascontiguousarray(stored), exif=turned(orientation)), ENOUGH)
    np.testing.assert_array_equal(rgb, upright)


def turned(orientation: int) -> Image.Exif:
    turn = Image.Exif()
    turn[0x0112] = orientation
    return turn


@pytest.mark.parametrize("orientation", range(1, 9))
def test_header_has_the_size_of_the_displayed_image(orientation):
    data = encoded(gradient(40, 24), "JPEG", exif=turned(orientation))
    header = inspect(data, ENOUGH)
    assert (header.height, header.width, 3) == decode(data, ENOUGH).shape


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("options", [{}, {"progressive": True, "subsampling": 0}])
def test_jpeg_is_reduced_while_it_is_decoded(factor, options, orientation):
    options = options | {"quality": 95, "exif": turned(orientation)}
    data = encoded(gradient(320, 240), "JPEG", **options)
    whole = decode(data, ENOUGH)
    reduced = decode(data, ENOUGH, reduction=factor)
    height, width = whole.shape[0] // factor, whole.shape[1] // factor
    assert reduced.shape == (height, width, 3)
    average = whole.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    assert np.abs(reduced - average).mean() <= 1


def test_profile_is_converted_to_srgb():
    exchanged = red_and_blue_exchanged()
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    rgb = decode(encoded(red, icc_profile=exchanged), ENOUGH).astype(int)
    assert np.abs(rgb - [0, 0, 255]).max() <= 2


@pytest.mark.parametrize("useless", [lab(), b"no profile"])
def test_damaged_or_mismatched_profile_is_ignored(useless):
    image = gradient(6, 4)
    data = encoded(image, icc_profile=useless)
    np.testing.assert_array_equal(decode(data, ENOUGH), image)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"hello", b"GIF89a" + bytes(50), b"%PDF-1.7", b"RIFF1234AVI "]
)
def test_unsupported_format_is_rejected(data):
    sentence = r"^This is (.+, )?not a JPEG, PNG, WebP or AVIF image\.$"
    with pytest.raises(UnsupportedFormat, match=sentence):
        decode(data, ENOUGH)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_truncated_image_is_damaged(format, share):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(image, format)
    with pytest.raises(DamagedImage, match="damaged"):
        decode(data[: int(len(data) * share)], ENOUGH)


@pytest.mark.promise("Input: limits hold exactly: at the limit passes, one past it does not")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_pixel_limit(format):
    data = encoded(gradient(30, 20), format)
    assert decode(data, 600).shape == (30, 20, 3)
    with pytest.raises(TooManyPixels, match="20 x 30 = 600 pixels; at most 599 are allowed"):
        decode(data, 599)


@pytest.mark.promise("Input: a decompression bomb is rejected by its header")
def test_pixel_limit_is_checked_from_the_header():
    # A megabyte of such zeros would decode to gigabytes.
    bomb = png_header(60_000, 60_000) + chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(TooManyPixels, match="3600000000 pixels"):
            decode(bomb, 40_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_default_limit_causes_no_pillow_warning(recwarn):
    with pytest.raises(DamagedImage):
        decode(png_header(6000, 6000 + 666), 40_000_000)
    assert not recwarn.list


def test_side_limit():
    def black(width: int) -> bytes:
        return png(png_header(width, 1, 1, 0), bytes(MAX_SIDE // 8 + 2))

    assert decode(black(MAX_SIDE), 2 * MAX_SIDE).shape == (1, MAX_SIDE, 3)
    with pytest.raises(TooManyPixels, match="1000001 x 1 pixels; at most 1000000 are allowed on a"):
        decode(black(MAX_SIDE + 1), 2 * MAX_SIDE)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_exif_announcing_gigabytes_is_cheap(format):
    """Four thousand values that all are the same megabyte: a general reader keeps them all."""
    greedy = exif(entries=4000, value_bytes=10**6, padding=10**6)
    parts = [greedy[:6] + greedy[at : at + 65_000] for at in range(6, len(greedy), 65_000)]
    image = encoded(gradient(20, 20), format)
    if format == "JPEG":
        bomb = with_segments(image, *(segment(0xE1, part) for part in parts))
    else:
        bomb = with_chunks(image, chunk(b"eXIf", greedy[6:]))
    tracemalloc.start()
    try:
        assert decode(bomb, ENOUGH).shape == (20, 20, 3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
