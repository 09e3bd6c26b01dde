"""WebP by OpenCV and AVIF by Pillow's binding: the same pixels as through Pillow's images."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import DamagedImage, decode, heif, webp
from tests.support.encoded_images import encoded, format_variants, gradient
from tests.support.formats import box, webp_canvas
from tests.support.formats import webp as webp_file

SIDES = [(1, 1), (3, 2), (33, 65), (64, 48)]
"""Height and width: odd ones too, of which chroma is rounded up."""

MAX_PIXELS = 10_000


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


@pytest.mark.parametrize(
    "options",
    [{"quality": 5}, {"quality": 95, "alpha_quality": 20}, {"lossless": True}],
    ids=["lossy", "good", "lossless"],
)
def test_webp_pixels_are_those_of_pillow(options):
    for image in images(["RGB", "RGBA"]):
        data = encoded(image, "WEBP", **options)
        pixels = webp.decode_still(webp.read(data))
        np.testing.assert_array_equal(pixels, decoded_by_pillow(data))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:0:0"])
def test_avif_pixels_are_those_of_pillow(subsampling):
    for image in images(["RGB", "RGBA", "L", "LA"]):
        for colours in "full", "limited":
            data = encoded(image, "AVIF", speed=10, subsampling=subsampling, range=colours)
            pixels = heif.decode_avif(heif.read_avif(data))
            np.testing.assert_array_equal(pixels, decoded_by_pillow(data))


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


def test_animated_webp_is_decoded_by_pillow():
    image = gradient(40, 24)
    frames = {"save_all": True, "append_images": [Image.new("RGB", (24, 40), "red")]}
    data = encoded(image, "WEBP", lossless=True, **frames)
    assert webp.read(data).is_animated
    np.testing.assert_array_equal(decode(data, MAX_PIXELS), image)


def test_riff_whose_length_is_the_name_of_an_avif_box_does_not_reach_another_decoder(capfd):
    """OpenCV recognises an AVIF by the ``ftyp`` at the place of a RIFF's length."""
    still = encoded(gradient(40, 24), "WEBP", lossless=True)
    with pytest.raises(DamagedImage):
        decode(still[:4] + b"ftyp" + still[8:] + box(b"meta"), MAX_PIXELS)
    assert capfd.readouterr().err == ""
