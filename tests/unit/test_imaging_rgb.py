"""Decoded pixels become upright RGB a tile at a time, without seams and large copies."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dctnet.imaging.rgb import upright_rgb
from tests.support.encoded import encoded, gradient
from tests.support.profiles import linear_grey, red_and_blue_exchanged

SHAPES = [(700, 900), (1, 600_000), (600_000, 1), (3, 300_000), (1, 1)]
"""Of several tiles: rows of them, columns of them, and more than one in a row; and a small one."""


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_tiles_of_any_shape_have_no_seams(height: int, width: int) -> None:
    picture = noise(height, width)
    np.testing.assert_array_equal(upright_rgb(Image.fromarray(picture), b"", 1), picture)


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiles_are_turned_as_one_picture(height: int, width: int, orientation: int) -> None:
    picture = noise(height, width)
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    image = Image.fromarray(picture)
    expected = np.asarray(image if turn is None else image.transpose(turn))
    rgb = upright_rgb(image, b"", orientation)
    np.testing.assert_array_equal(rgb, expected)
    assert rgb.flags.c_contiguous
    assert rgb.flags.writeable


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"])
def test_tiles_of_each_mode_become_what_the_whole_would(mode: str) -> None:
    image = Image.fromarray(noise(600, 700, 4), "RGBA").convert(mode)
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    difference = upright_rgb(image, b"", 1) - np.asarray(white.convert("RGB")).astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_the_profile_of_grey_is_used_for_grey_alone_and_with_alpha(mode: str) -> None:
    image = Image.new(mode, (2, 1), (55, 255) if mode == "LA" else 55)  # type: ignore[arg-type]
    rgb = upright_rgb(image, linear_grey(), 1).astype(int)
    assert np.abs(rgb - 128).max() <= 3


BYTES_PER_PIXEL = {"JPEG": 12, "PNG": 8, "WEBP": 17, "AVIF": 14}
"""What decoding takes at most, the result and what libraries need included."""

DECODER = """
import resource, sys
from dctnet.imaging import decode

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

data = sys.stdin.buffer.read()
small, large = data[:int(sys.argv[1])], data[int(sys.argv[1]):]
decode(small, 10**6)
before = peak()
pixels = decode(large, 10**8).size / 3
print((peak() - before) / pixels)
"""


@pytest.mark.parametrize("format", BYTES_PER_PIXEL)
def test_decoding_takes_no_more_memory_a_pixel_than_is_documented(format: str) -> None:
    """With what costs most: progressive, turned, with a profile, and alpha where there is any."""
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {
        "JPEG": {"progressive": True, "subsampling": "4:4:4"},
        "PNG": {"compress_level": 1},
        "WEBP": {"method": 0},
        "AVIF": {"speed": 10, "subsampling": "4:4:4"},
    }[format]
    picture = Image.fromarray(gradient(2400, 2500))
    if format != "JPEG":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    small, large = (
        encoded(image, format, exif=exif, icc_profile=red_and_blue_exchanged(), **options)
        for image in (picture.resize((64, 64)), picture)
    )
    decoder = [sys.executable, "-c", DECODER, str(len(small))]
    # A process starts with the peak of the one that it replaces: here, of a small shell.
    run = subprocess.run(
        ["sh", "-c", '"$0" "$@"; exit "$?"', *decoder],
        input=small + large,
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
    )
    assert float(run.stdout) <= BYTES_PER_PIXEL[format] + 1  # A pixel's worth for the tile.
