"""Encoding of arrays in the requested format."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from dctnet.conversion.trial_images import PHOTOS, read_photo
from dctnet.imaging import (
    MEDIA_TYPES,
    TRANSPARENT_FORMATS,
    TooLongForFormat,
    encode,
    require_encodable,
    with_alpha,
)
from tests.support.encoded_images import decoded, encoded, gradient

MAGIC = {"png": b"\x89PNG", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}


@pytest.mark.parametrize(("format", "tolerance"), [("png", 0), ("jpeg", 2), ("webp", 2.5)])
def test_each_format_preserves_the_image(format, tolerance):
    image = gradient(40, 24)
    data = encode(image, format)
    assert data.startswith(MAGIC[format])
    assert np.abs(decoded(data).astype(int) - image).mean() <= tolerance


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (33, 65), (400, 300)])
def test_webp_is_that_of_pillow(height, width):
    """Pillow has another version of libwebp."""
    options = {"quality": 95, "method": 2}
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    for image in noise, gradient(height, width):
        assert encode(image, "webp") == encoded(image, "WEBP", **options)
        alpha = noise[..., 0]
        rgba = with_alpha(image, alpha)
        assert encode(image, "webp", alpha=alpha) == encoded(rgba, "WEBP", **options)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (40_000, 1), (1, 40_000), (3, 33_000), (300, 401), (2000, 100)]
)
def test_png_has_the_pixels(height, width):
    """With rows that are longer than what is compressed at once, and several that are shorter."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    alpha = np.ascontiguousarray(noise[..., 3])
    for image in np.ascontiguousarray(noise[..., :3]), gradient(height, width):
        np.testing.assert_array_equal(decoded(encode(image, "png")), image)
        found = Image.open(BytesIO(encode(image, "png", alpha=alpha)))
        assert found.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(found), with_alpha(image, alpha))


@pytest.mark.parametrize("format", TRANSPARENT_FORMATS)
@pytest.mark.parametrize("alpha", [None, np.full((300, 400), 200, np.uint8)], ids=["RGB", "RGBA"])
def test_released_image_is_not_needed_any_more(format, alpha):
    image = gradient(300, 400)
    expected = encode(image, format, alpha=alpha)
    releases = []

    def release():
        releases.append(format)
        image[:] = 0

    assert encode(image, format, release, alpha) == expected
    assert releases == [format]


def test_png_of_noise_is_hardly_larger_than_its_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    assert len(encode(noise, "png")) < 1.005 * noise.size


@pytest.mark.parametrize("photo", sorted(PHOTOS.glob("*.jpg")), ids=lambda path: path.stem)
def test_png_is_not_larger_than_that_of_opencv(photo):
    image = read_photo(photo)
    for turned in image, np.ascontiguousarray(image.swapaxes(0, 1)):
        done, by_opencv = cv2.imencode(".png", cv2.cvtColor(turned, cv2.COLOR_RGB2BGR))
        assert done
        assert len(encode(turned, "png")) < 1.02 * len(by_opencv)


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_one_pixel_can_be_encoded(format):
    assert decoded(encode(np.zeros((1, 1, 3), np.uint8), format)).shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("format", "longest"), [("png", 1_000_000), ("jpeg", 65_500), ("webp", 16_383)]
)
def test_format_side_limit(format, longest):
    assert encode(np.zeros((1, longest, 3), np.uint8), format).startswith(MAGIC[format])
    sentence = f"{longest + 1} x 1 pixels is too long for {format}, which holds at most {longest}"
    with pytest.raises(TooLongForFormat, match=sentence):
        encode(np.zeros((1, longest + 1, 3), np.uint8), format)
    with pytest.raises(TooLongForFormat):
        require_encodable(1, longest + 1, format)
