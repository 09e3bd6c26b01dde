"""Tone mapping at levels whose luminance the standards state, and profiles from code points."""

import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import colour

BT709, BT2020, SRGB = 1, 9, 13


def grey(level: int, transfer: int) -> list[int]:
    """Return what a pixel with three equal values becomes."""
    coding = colour.coding(BT2020, transfer)
    assert coding is not None
    pixel = Image.new("RGB", (1, 1), (level,) * 3)
    return np.asarray(colour.tone_mapper(coding)(pixel)).ravel().tolist()


@pytest.mark.parametrize(
    ("transfer", "level", "expected"),
    [
        (colour.PQ, 0, 0),
        # White paper of 203 nits (ITU-R BT.2408), below the knee: 203 of 400 nits.
        (colour.PQ, 148, 188),
        (colour.HLG, 191, 188),
        # 1000 nits, the peak, and all above.
        (colour.PQ, 192, 255),
        (colour.PQ, 255, 255),
        (colour.HLG, 255, 255),
    ],
)
def test_grey_is_neutral_and_as_light_as_the_standards_say(transfer, level, expected):
    assert grey(level, transfer) == pytest.approx([expected] * 3, abs=1)


@pytest.mark.parametrize("transfer", [colour.PQ, colour.HLG])
def test_tone_curve_is_monotonic(transfer):
    levels = [grey(level, transfer)[0] for level in range(256)]
    assert levels == sorted(levels)


def test_srgb_and_unknown_code_points_need_no_profile():
    assert colour.coded_profile(BT709, SRGB, camera=colour.SRGB_CURVE) == b""
    assert colour.coded_profile(2, SRGB, camera=colour.SRGB_CURVE) == b""
    assert colour.coded_profile(BT709, 2, camera=colour.SRGB_CURVE) == b""
    assert colour.coded_profile(BT2020, SRGB, camera=colour.SRGB_CURVE) != b""
    assert colour.coding(BT2020, SRGB) is None
    assert colour.coding(2, colour.PQ) is None
