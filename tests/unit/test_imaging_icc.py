"""ICC profiles are converted as LittleCMS converts them, at a bounded cost."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from dctnet.imaging.rgb import upright_rgb
from tests.support.decoding_cost import decoding_costs
from tests.support.encoded import encoded
from tests.support.profile_samples import costly, ordinary

MAX_CPU_S = 0.5
MAX_BYTES = 50 * 10**6
"""What an image may cost more than the same one without a profile."""

MODES = {"JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGB", "L"), "WEBP": ("RGB",), "AVIF": ("RGB",)}
"""The modes of the images of each format, once decoded."""


def noise(mode: str, side: int = 64) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, len(mode)), np.uint8)
    return Image.fromarray(pixels[:, :, 0] if mode == "L" else pixels, mode)


def converted_by_littlecms(image: Image.Image, profile: bytes) -> np.ndarray:
    """Return what the unrestricted profile gives."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return np.asarray(ImageCms.buildTransform(source, target, image.mode, "RGB").apply(image))


@pytest.mark.parametrize("name", ordinary())
def test_an_ordinary_profile_is_converted_exactly_as_before(name: str) -> None:
    mode, profile = ordinary()[name]
    image = noise(mode)
    expected = converted_by_littlecms(image, profile)
    np.testing.assert_array_equal(upright_rgb(image, profile, 1), expected)
    ignored = np.array_equal(expected, image.convert("RGB"))
    assert ignored == name.startswith("sRGB-like")


@pytest.mark.parametrize(
    ("format", "mode"), [(f, mode) for f, modes in MODES.items() for mode in modes]
)
def test_a_costly_profile_costs_little_in_each_format_and_mode(format: str, mode: str) -> None:
    image = noise(mode)
    plain, *hostile = (
        encoded(image, format, icc_profile=profile) for profile in (None, *costly(mode).values())
    )
    baseline, *costs = decoding_costs(plain, plain, *hostile)
    assert max(cost.cpu_s for cost in costs) < baseline.cpu_s + MAX_CPU_S
    # Each peak grows over those before, so that the sum is what the costliest takes.
    assert sum(cost.peak_bytes for cost in costs) < MAX_BYTES
