"""Images of a load test."""

import numpy as np
import pytest
from PIL import Image

from loadtest.client import LoadError, generate_images, read_folder
from tests.support.encoded_images import encoded, gradient


@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_generated_images_are_distinct_and_reproducible(format):
    images = generate_images(12, 64, 48, format=format, seed=3)
    assert len({image.data for image in images}) == 12
    assert len({image.name for image in images}) == 12
    assert generate_images(12, 64, 48, format=format, seed=3) == images
    assert generate_images(1, 64, 48, format=format, seed=4)[0].data != images[0].data
    for image in images:
        assert (image.width, image.height) == (64, 48)
        assert image.pixels().shape == (48, 64, 3)
        assert image.media_type == f"image/{format}"


def test_generated_image_is_about_as_large_as_a_photo():
    (image,) = generate_images(1, 512, 512)
    assert 0.5 < 8 * len(image.data) / 512**2 < 4  # Bits per pixel.


def test_folder_images_are_sorted_with_exif_orientation(tmp_path):
    image = Image.fromarray(gradient(20, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # Rotated by 90 degrees.
    (tmp_path / "b.png").write_bytes(encoded(image))
    (tmp_path / "a.jpg").write_bytes(encoded(image, "JPEG", exif=exif))
    (tmp_path / "c.bmp").write_bytes(encoded(image, "BMP"))
    (tmp_path / "LICENSE").write_text("CC0")
    turned, upright = read_folder(tmp_path)
    assert (turned.name, turned.width, turned.height) == ("a.jpg", 20, 30)
    assert turned.pixels().shape == (30, 20, 3)
    np.testing.assert_array_equal(upright.pixels(), gradient(20, 30))


def test_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(LoadError, match=r"has no JPEG, PNG or WebP\."):
        read_folder(tmp_path)
