"""WebP by OpenCV and AVIF by Pillow's binding: the same pixels as through Pillow's images."""

from collections.abc import Iterator
from io import BytesIO
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import DamagedImage, decode, heif, webp
from dctnet.imaging.rgb import Raster
from tests.support.encoded_images import encoded, format_variants, gradient
from tests.support.formats import (
    box,
    contents,
    webp_canvas,
    webp_chunk,
    webp_frame,
)
from tests.support.formats import webp as webp_file

SIDES = [(1, 1), (3, 2), (33, 65), (64, 48)]
"""Height and width: odd ones too, of which chroma is rounded up."""

MAX_PIXELS = 10_000

ANIMATION, ALPHA = 0x02, 0x10
"""Flags of an extended WebP."""


def images(modes: list[str]) -> list[Image.Image]:
    """Return smooth and random images of each size, in each of Pillow's modes."""
    rng = np.random.default_rng(0)
    found = []
    for height, width in SIDES:
        noise = rng.integers(0, 256, (height, width, 4), np.uint8)
        smooth = noise.copy()
        smooth[..., :3] = gradient(height, width)
        found += [Image.fromarray(pixels) for pixels in (noise, smooth)]
    return [image.convert(mode) for image in found for mode in modes]


def decoded_by_pillow(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image)


def whole(raster: Raster) -> np.ndarray:
    return np.asarray(raster.crop((0, 0, raster.width, raster.height)))


@pytest.mark.parametrize(
    "options",
    [{"quality": 5}, {"quality": 95, "alpha_quality": 20}, {"lossless": True}],
    ids=["lossy", "good", "lossless"],
)
def test_webp_pixels_are_those_of_pillow(options):
    for image in images(["RGB", "RGBA"]):
        data = encoded(image, "WEBP", **options)
        pixels = webp.decode(webp.read(data)).pixels
        np.testing.assert_array_equal(pixels, decoded_by_pillow(data))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:0:0"])
def test_avif_pixels_are_those_of_pillow(subsampling):
    for image in images(["RGB", "RGBA", "L", "LA"]):
        for colours in "full", "limited":
            data = encoded(image, "AVIF", speed=10, subsampling=subsampling, range=colours)
            raster = heif.decode_avif(heif.read_avif(data))
            np.testing.assert_array_equal(whole(raster), decoded_by_pillow(data))
            has_alpha, has_colours = "A" in image.mode, subsampling != "4:0:0"
            assert (raster.alpha is not None) == (has_alpha and has_colours)


@pytest.mark.parametrize("kind", ["premultiplied", "animated", "10-bit"])
def test_avif_with_an_unusual_alpha_is_decoded_at_once(kind):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 4), np.uint8))
    if kind == "10-bit":
        wide = np.asarray(image).astype(np.uint16) * 4
        done, array = cv2.imencode(".avif", wide, [cv2.IMWRITE_AVIF_DEPTH, 10])
        assert done
        data = array.tobytes()
    elif kind == "animated":
        data = encoded(image, "AVIF", save_all=True, append_images=[image.rotate(180)])
    else:
        data = encoded(image, "AVIF", alpha_premultiplied=True)
    raster = heif.decode_avif(heif.read_avif(data))
    assert raster.alpha is None
    assert raster.mode == "RGBA"
    np.testing.assert_array_equal(whole(raster), decoded_by_pillow(data))


def test_avif_with_a_damaged_alpha_is_rejected():
    image = Image.fromarray(gradient(64, 48))
    image.putalpha(77)
    data = encoded(image, "AVIF")
    damaged = data.replace(contents(data, b"mdat")[-40:], bytes(40))
    assert len(damaged) == len(data)
    assert damaged != data
    with pytest.raises(DamagedImage, match="damaged or cut off"):
        decode(damaged, MAX_PIXELS)


@pytest.mark.parametrize("kind", ["WebP", "lossless WebP", "AVIF"])
def test_damaged_file_of_each_length_is_rejected(kind):
    data = format_variants()[kind]
    assert decode(data, MAX_PIXELS).shape == (40, 24, 3)
    for length in range(33, len(data) - 2):
        part = data[:length]
        # Also with a RIFF header of the shorter length.
        for damaged in (part,) if kind == "AVIF" else (part, webp_file(part[12:])):
            with pytest.raises(DamagedImage):
                decode(damaged, MAX_PIXELS)


def test_size_of_another_header_is_rejected():
    still = encoded(gradient(40, 24), "WEBP", lossless=True)
    data = webp_file(webp_canvas(24, 39), still[12:])
    with pytest.raises(DamagedImage, match="damaged or cut off"):
        decode(data, MAX_PIXELS)


def animations() -> Iterator[bytes]:
    """Yield animations with first frames of each codec and place on the canvas."""
    last = encoded(gradient(2, 2), "WEBP")
    codecs: list[dict[str, Any]] = [{}, {"lossless": True}, {"lossless": True, "exact": True}]
    for image, options in product(images(["RGB", "RGBA"]), codecs):
        still = encoded(image, "WEBP", **options)
        for left, top, right, bottom in (0, 0, 0, 0), (2, 4, 7, 0), (0, 0, 1, 3):
            width, height = left + image.width + right, top + image.height + bottom
            frames = webp_frame(still, *image.size, left, top), webp_frame(last, 2, 2)
            for flags in ANIMATION, ANIMATION | ALPHA:
                head = webp_canvas(width, height, flags), webp_chunk(b"ANIM", b"\1\2\3\4\0\0")
                yield webp_file(*head, *frames[: 1 if min(width, height) < 2 else 2])


def test_first_frame_of_an_animation_is_that_of_pillow():
    kinds = set()
    for data in animations():
        pixels = webp.decode(webp.read(data)).pixels
        np.testing.assert_array_equal(pixels, decoded_by_pillow(data))
        kinds.add(pixels.shape[2])
    assert kinds == {3, 4}


def test_riff_whose_length_is_the_name_of_an_avif_box_does_not_reach_another_decoder(capfd):
    """OpenCV recognises an AVIF by the ``ftyp`` at the place of a RIFF's length."""
    still = encoded(gradient(40, 24), "WEBP", lossless=True)
    with pytest.raises(DamagedImage):
        decode(still[:4] + b"ftyp" + still[8:] + box(b"meta"), MAX_PIXELS)
    assert capfd.readouterr().err == ""
