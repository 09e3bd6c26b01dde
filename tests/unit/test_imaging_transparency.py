"""Transparency of an image, put back into its cartoon."""

import numpy as np
import pytest

from dctnet.imaging import with_alpha


@pytest.mark.parametrize("width", [3, 1 << 19], ids=["strips of many rows", "strips of one row"])
def test_cartoon_on_white_stays_as_it_was(width):
    random = np.random.default_rng(0)
    alpha = random.integers(0, 256, (4, width), np.uint8)
    share = alpha[..., np.newaxis] / 255.0
    colours = random.integers(0, 256, (4, width, 3))
    on_white = np.rint(share * colours + (1 - share) * 255).astype(np.uint8)
    rgba = with_alpha(on_white, alpha)
    assert rgba.dtype == np.uint8
    np.testing.assert_array_equal(rgba[..., 3], alpha)
    again = np.rint(share * rgba[..., :3] + (1 - share) * 255)
    assert np.abs(again - on_white).max() <= 1
    opaque = alpha == 255
    np.testing.assert_array_equal(rgba[opaque, :3], on_white[opaque])


def test_alpha_is_resized_by_area():
    alpha = np.zeros((4, 4), np.uint8)
    alpha[:, 2:] = 255
    alpha[0, 0] = 255
    rgba = with_alpha(np.full((2, 2, 3), 255, np.uint8), alpha)
    assert rgba[..., 3].tolist() == [[64, 255], [0, 255]]
