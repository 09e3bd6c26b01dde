"""ICC profiles are converted as LittleCMS does, at a bounded cost."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from PIL import Image, ImageCms

from dctnet.imaging.icc import MAX_CLUT_VALUES, MAX_DESCRIPTION_BYTES, restrict
from dctnet.imaging.rgb import to_srgb, upright_rgb
from tests.support import profiles as p
from tests.support.decoding_cost import decoding_costs
from tests.support.encoded_images import encoded
from tests.support.fuzz import profiles
from tests.support.hypothesis_profiles import examples, scaled
from tests.support.profile_samples import (
    SPACES,
    SRGB,
    SRGB_CURVE,
    costly_profiles,
    ordinary_profiles,
)

MAX_CPU_S = 0.5
MAX_BYTES = 50 * 10**6
"""Additional cost of an image with a profile."""

MODES = {"JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGB", "L"), "WEBP": ("RGB",), "AVIF": ("RGB",)}
"""The modes of the images of each format, once decoded."""
FORMATS = {"RGB": "PNG", "L": "PNG", "CMYK": "JPEG"}

TRIES = 300


def noise(mode: str, side: int = 64) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, len(mode)), np.uint8)
    return Image.fromarray(pixels[:, :, 0] if mode == "L" else pixels, mode)


def converted_by_littlecms(image: Image.Image, profile: bytes) -> np.ndarray:
    """Return what the unrestricted profile gives."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return np.asarray(ImageCms.buildTransform(source, target, image.mode, "RGB").apply(image))


@pytest.mark.promise("Input: hostile ICC profiles are cheap, ordinary ones are exact")
@pytest.mark.parametrize("name", ordinary_profiles())
def test_ordinary_profile_is_converted_unchanged(name):
    mode, profile = ordinary_profiles()[name]
    image = noise(mode)
    expected = converted_by_littlecms(image, profile)
    np.testing.assert_array_equal(upright_rgb(image, to_srgb(image, profile), 1), expected)
    ignored = np.array_equal(expected, image.convert("RGB"))
    assert ignored == name.startswith("sRGB-like")


@pytest.mark.promise("Input: hostile ICC profiles are cheap, ordinary ones are exact")
@pytest.mark.parametrize("format", MODES)
def test_costly_profile_is_cheap_in_each_format_and_mode(format):
    files = [
        encoded(noise(mode), format, icc_profile=profile)
        for mode in MODES[format]
        for profile in (None, *costly_profiles(mode).values())
    ]
    baseline, *costs = decoding_costs(files[0], *files)
    assert max(cost.cpu_s for cost in costs) < baseline.cpu_s + MAX_CPU_S
    assert max(cost.peak_bytes for cost in costs) < baseline.peak_bytes + MAX_BYTES


@pytest.mark.promise("Input: hostile ICC profiles are cheap, ordinary ones are exact")
def test_any_profile_is_cheap():
    files = []

    @examples(TRIES, suppress_health_check=list(HealthCheck))
    @given(profiles())
    def add(sample: tuple[str, bytes]) -> None:
        mode, profile = sample
        files.append(encoded(noise(mode), FORMATS[mode], icc_profile=profile))

    add()
    costs = decoding_costs(encoded(noise("RGB")), *files)
    assert len(costs) >= scaled(TRIES)
    assert max(cost.cpu_s for cost in costs) < MAX_CPU_S
    assert max(cost.peak_bytes for cost in costs) < MAX_BYTES
    assert not any(cost.is_rejected for cost in costs)


@pytest.mark.parametrize("name", ["D2B0", "D2B1", "D2B2", "D2B3", "B2D0"])
def test_lookup_table_replaces_multi_process_elements(name):
    """Where both are there, the table is what the specification requires."""
    tags = {b"A2B0": p.lut_a_to_b(3, b"\2\2\2", bytes(range(24)))}
    alone = p.profile(b"RGB ", tags, connection_space=b"Lab ", version=4)
    tags[name.encode()] = p.process_elements(3, 1)
    both = p.profile(b"RGB ", tags, connection_space=b"Lab ", version=4)
    image = noise("RGB")
    expected = converted_by_littlecms(image, alone)
    np.testing.assert_array_equal(upright_rgb(image, to_srgb(image, both), 1), expected)
    assert (expected != np.asarray(image)).any()


@pytest.mark.parametrize("kind", ["mft1", "mft2", "mAB"])
def test_lookup_table_size_limit(kind):
    grid = round(MAX_CLUT_VALUES / 3) ** (1 / 3)
    at_limit = int(grid)
    for side in at_limit, at_limit + 1:
        lut = {
            "mft1": p.lut8(3, side, bytes(3 * side**3)),
            "mft2": p.lut16(3, side, bytes(6 * side**3)),
            "mAB": p.lut_a_to_b(3, bytes([side] * 3), bytes(3 * side**3)),
        }[kind]
        profile = p.profile(b"RGB ", {b"A2B0": lut}, connection_space=b"Lab ")
        image = noise("RGB")
        rgb = upright_rgb(image, to_srgb(image, profile), 1)
        if side == at_limit:
            assert (rgb == rgb[0, 0]).all()  # All of the table is black.
        else:
            np.testing.assert_array_equal(rgb, noise("RGB"))


def test_non_cubic_lookup_table_size_limit():
    for grid in (85, 64, 64), (85, 65, 64):
        lut = p.lut_a_to_b(3, bytes(grid), b"")
        profile = p.profile(b"RGB ", {b"A2B0": lut}, connection_space=b"Lab ")
        assert (restrict(profile, "RGB") != b"") == (grid == (85, 64, 64))


def test_description_size_limit():
    """That of sRGB is not converted."""
    matrix = p.matrix_tags((*SRGB[1:], SRGB[0]), SRGB_CURVE)
    for size in MAX_DESCRIPTION_BYTES, MAX_DESCRIPTION_BYTES + 1:
        text = p.description("sRGB").ljust(size, b"\0")
        image = noise("RGB")
        profile = p.profile(b"RGB ", {b"desc": text} | matrix)
        rgb = upright_rgb(image, to_srgb(image, profile), 1)
        assert np.array_equal(rgb, noise("RGB")) == (size == MAX_DESCRIPTION_BYTES)


@pytest.mark.parametrize("device_class", [b"link", b"abst", b"nmcl", b"cenc", b"mvis"])
def test_non_device_profile_is_ignored(device_class):
    tags = p.matrix_tags((*SRGB[1:], SRGB[0]), SRGB_CURVE)
    assert restrict(p.profile(b"RGB ", tags, device_class=device_class), "RGB") == b""
    assert restrict(p.profile(b"RGB ", tags, device_class=b"scnr"), "RGB")


@pytest.mark.parametrize("mode", SPACES)
def test_profile_for_other_channels_is_ignored(mode):
    for name, (made_for, profile) in ordinary_profiles().items():
        assert bool(restrict(profile, mode)) == (mode == made_for), name


def test_truncated_profile_causes_no_error():
    mode, profile = ordinary_profiles()["RGB of tables and a matrix, version 4"]
    for length in range(0, len(profile), 7):
        image = noise(mode, side=1)
        upright_rgb(image, to_srgb(image, profile[:length]), 1)
