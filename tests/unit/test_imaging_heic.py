"""HEIC is decoded as a viewer shows it, if it is on and pi-heif is installed."""

import struct

import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import DamagedImage, TooManyPixels, UnsupportedFormat, decode, inspect
from dctnet.imaging.heif import MAX_FIELDS, is_heic
from tests.support import formats as f
from tests.support.encoded_images import encoded, gradient
from tests.support.heic_samples import SIDE, heic_file, heic_kinds, needs_decoder, tile, tiled

ENOUGH = 10**6
GRADIENT = gradient(SIDE, SIDE)


def decoded(data: bytes) -> np.ndarray:
    return decode(data, ENOUGH, heic=True).astype(int)


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"heic\0\0\0\0mif1heic", True),
        (b"mif1\0\0\0\0mif1heic", True),
        (b"heix\0\0\0\0", True),
        (b"msf1\0\0\0\0hevc", False),
        (b"mif1\0\0\0\0mif1miaf", False),
        (b"avif\0\0\0\0mif1heic", False),
        (b"isom\0\0\0\0mp42", False),
    ],
)
def test_brands_identify_heic(brands, expected):
    assert is_heic(f.box(b"ftyp", brands)) is expected


@pytest.mark.parametrize("kind", heic_kinds())
def test_heic_is_unsupported_unless_it_is_on(kind):
    for function in inspect, decode:
        with pytest.raises(UnsupportedFormat, match="This is a HEIC image"):
            function(heic_kinds()[kind], ENOUGH)


@needs_decoder
@pytest.mark.parametrize("kind", heic_kinds())
def test_header_has_the_size_of_the_decoded_image(kind):
    data = heic_kinds()[kind]
    header = inspect(data, ENOUGH, heic=True)
    assert header.format == "HEIC"
    assert decoded(data).shape == (header.height, header.width, 3)


@needs_decoder
def test_colours_are_preserved():
    assert np.abs(decoded(heic_file("gradient")) - GRADIENT).max() <= 4
    assert np.abs(decoded(heic_file("10-bit")) - GRADIENT).max() <= 4
    assert np.abs(decoded(heic_file("cropped")) - gradient(40, 24)).max() <= 6
    grey = decoded(heic_file("grey"))
    assert np.abs(grey - GRADIENT[:, :, :1]).max() <= 4


@needs_decoder
def test_transparency_is_composited_on_white():
    rgb = decoded(heic_file("transparent"))
    assert np.abs(rgb - (GRADIENT.astype(float) * 128 / 255 + 127)).max() <= 4


@needs_decoder
@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_rotation_and_mirror_are_applied(quarters, axis):
    properties = [f.box(b"irot", bytes([quarters]))]
    upright = np.rot90(GRADIENT, quarters)
    if axis is not None:
        properties.append(f.box(b"imir", bytes([axis])))
        # ISO/IEC 23008-12: 0 exchanges top and bottom, 1 left and right.
        upright = upright[::-1] if axis == 0 else upright[:, ::-1]
    rgb = decoded(f.heic([tile(*properties)]))
    assert np.abs(rgb - upright).max() <= 4


@needs_decoder
def test_grid_of_tiles_is_one_image():
    rgb = decoded(tiled(3, 5))
    assert rgb.shape == (3 * SIDE, 5 * SIDE, 3)
    assert np.abs(rgb[-SIDE:, -SIDE:] - GRADIENT).max() <= 4
    turned = decoded(tiled(3, 5, f.box(b"irot", b"\1")))
    np.testing.assert_array_equal(turned, np.rot90(rgb))


@needs_decoder
def test_first_image_of_a_collection_is_decoded():
    cropped = f.hevc(heic_file("10-bit"), SIDE, SIDE)
    rgb = decoded(f.heic([tile(f.box(b"irot", b"\2")), cropped]))
    assert np.abs(rgb - GRADIENT[::-1, ::-1]).max() <= 4


@needs_decoder
@pytest.mark.parametrize("kind", ["Display P3", "PQ"])
def test_coded_colours_are_those_of_an_avif(kind):
    """With the same code points, up to what codecs lose."""
    properties = heic_kinds()[kind]
    colr = f.box(b"colr", f.contents(properties, b"colr"))
    plain, coded = decoded(heic_file("gradient")), decoded(properties)
    assert np.abs(coded - plain).mean() > 3
    avif = f.av1(encoded(Image.fromarray(GRADIENT), "AVIF", subsampling="4:4:4"), SIDE, SIDE, colr)
    assert np.abs(coded - decode(f.avif([avif]), ENOUGH)).mean() <= 6


def test_pixel_limit_counts_before_decoding():
    limit = SIDE * SIDE
    header = inspect(heic_file("gradient"), limit, heic=True)
    assert header == (SIDE, SIDE, "HEIC")
    for function in inspect, decode:
        with pytest.raises(TooManyPixels, match=f"{limit} pixels; at most {limit - 1}"):
            function(heic_file("gradient"), limit - 1, heic=True)
    with pytest.raises(TooManyPixels, match=f"cropped from {limit} pixels; at most {limit - 1}"):
        inspect(heic_file("cropped"), limit - 1, heic=True)


def test_limit_of_boxes():
    data = heic_file("gradient")
    boxes = f.box(b"free") * MAX_FIELDS
    start = int.from_bytes(data[:4])
    with pytest.raises(DamagedImage, match=f"The HEIC consists of more than {MAX_FIELDS} parts"):
        inspect(data[:start] + boxes + data[start:], ENOUGH, heic=True)


@needs_decoder
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_file_is_damaged(share):
    data = heic_file("gradient")
    with pytest.raises(DamagedImage):
        decode(data[: int(share * len(data))], ENOUGH, heic=True)


def test_crop_by_zero_is_damaged():
    clap = f.box(b"clap", struct.pack(">8I", *[0] * 8))
    with pytest.raises(DamagedImage, match="The HEIC is damaged or cut off"):
        inspect(f.heic([tile(clap)]), ENOUGH, heic=True)
