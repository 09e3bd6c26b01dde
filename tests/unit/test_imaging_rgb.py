"""Tiled conversion of decoded pixels to upright RGB, without seams or large copies."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import (
    DECODE_BYTES_PER_BODY_BYTE,
    DECODE_BYTES_PER_PIXEL,
    DECODE_FIXED_BYTES,
)
from dctnet.imaging.rgb import to_srgb, upright_rgb
from tests.support.decoding_cost import decoding_costs
from tests.support.encoded_images import encoded, gradient, layered_avif
from tests.support.profile_samples import ordinary_profiles
from tests.support.profiles import linear_grey, red_and_blue_exchanged

SHAPES = [(700, 900), (1, 600_000), (600_000, 1), (3, 300_000), (1, 1)]
"""Of several tiles: rows of them, columns of them, and more than one in a row; and a small one."""


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiles_are_seamless_and_oriented(height, width, orientation):
    image = noise(height, width)
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    image = Image.fromarray(image)
    expected = np.asarray(image if turn is None else image.transpose(turn))
    rgb = upright_rgb(image, to_srgb(image, b""), orientation)
    np.testing.assert_array_equal(rgb, expected)
    assert rgb.flags.c_contiguous
    assert rgb.flags.writeable


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"])
def test_tiled_conversion_equals_whole_image(mode):
    image = Image.fromarray(noise(600, 700, 4), "RGBA").convert(mode)
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    difference = upright_rgb(image, to_srgb(image, b""), 1) - np.asarray(
        white.convert("RGB")
    ).astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_profile_is_used_with_and_without_alpha(mode):
    image = Image.new(mode, (2, 1), (55, 255) if mode == "LA" else 55)  # type: ignore[arg-type]
    rgb = upright_rgb(image, to_srgb(image, linear_grey()), 1).astype(int)
    assert np.abs(rgb - 128).max() <= 3


TURNED = Image.Exif()
TURNED[0x0112] = 6
NOISE = noise(600, 600, 4)


def costly_kinds() -> dict[str, tuple[int, Callable[[Image.Image], bytes]]]:
    """Return images of RGBA as files that take most memory, each with its bytes per pixel.

    All are rotated and have a profile, which costs most.
    """

    def written(format: str, mode: str, **options: Any) -> Callable[[Image.Image], bytes]:
        profile = (
            ordinary_profiles()["CMYK like FOGRA, version 2"][1]
            if mode == "CMYK"
            else red_and_blue_exchanged()
        )
        options |= {"exif": TURNED, "icc_profile": linear_grey() if mode == "L" else profile}
        return lambda image: encoded(image.convert(mode), format, **options)

    def wide_grey(image: Image.Image) -> bytes:
        wide = np.asarray(image.convert("L")).astype(np.uint16) * 257
        return encoded(wide, "PNG", compress_level=1, transparency=0, icc_profile=linear_grey())

    def animated(image: Image.Image) -> bytes:
        frames = {"save_all": True, "append_images": [Image.new("RGBA", image.size)]}
        return written("WEBP", "RGBA", method=0, **frames)(image)

    progressive = {"progressive": True, "subsampling": "4:4:4"}
    fast = {"speed": 10, "subsampling": "4:4:4"}
    return {
        "progressive JPEG": (9, written("JPEG", "RGB", **progressive)),
        "CMYK JPEG": (11, written("JPEG", "CMYK", **progressive)),
        "grey JPEG": (9, written("JPEG", "L", progressive=True)),
        "PNG": (5, written("PNG", "RGBA", compress_level=1)),
        "16-bit PNG": (5, wide_grey),
        "WebP": (6, written("WEBP", "RGBA", method=0)),
        "lossless WebP": (6, written("WEBP", "RGBA", method=0, lossless=True)),
        "animated WebP": (6, animated),
        "AVIF": (7, written("AVIF", "RGBA", **fast)),
        "AVIF of layers": (19, lambda image: layered_avif(image, **fast)),
    }


SIDES = [(8, 8), (64, 64), (512, 512), (600, 600)]


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
@pytest.mark.parametrize("kind", costly_kinds())
def test_decoding_memory_per_pixel_is_within_documented_bound(kind):
    """Large images test the bytes per pixel, small ones and noise the fixed bytes."""
    bytes_per_pixel, written = costly_kinds()[kind]
    large = Image.fromarray(gradient(1800, 1900))
    large.putalpha(Image.linear_gradient("L").resize(large.size))
    small = [large.resize(size) for size in SIDES]
    small += [Image.fromarray(NOISE[:height, :width]) for height, width in SIDES]
    files = [written(image) for image in (*small, large)]
    costs = decoding_costs(files[0], *files)
    for image, data, cost in zip((*small, large), files, costs, strict=True):
        pixels = image.width * image.height
        copies = DECODE_BYTES_PER_BODY_BYTE * len(data)
        assert cost.peak_bytes <= DECODE_FIXED_BYTES + (bytes_per_pixel + 3) * pixels + copies
    # Beside the result, and a pixel's worth for the tile.
    assert costs[-1].peak_bytes / (large.width * large.height) <= bytes_per_pixel + 3 + 1
    format = "AVIF" if kind == "AVIF of layers" else kind.rsplit(maxsplit=1)[-1].upper()
    assert bytes_per_pixel <= DECODE_BYTES_PER_PIXEL[format]
