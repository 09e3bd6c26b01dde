"""Encoding of arrays in the requested format."""

import numpy as np
import pytest

from dctnet.imaging import MEDIA_TYPES, TooLongForFormat, encode, require_encodable, with_alpha
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
