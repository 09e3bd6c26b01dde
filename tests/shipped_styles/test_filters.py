"""The filters of the shipped styles: flat areas, lines, tones, and how far they reach."""

import numpy as np
import pytest
import skimage.data

from shipped_styles.filters import FILTERS, poster
from shipped_styles.filters.smoothing import to_lab

REACH = 45
"""Pixels that a pixel depends on, to each side."""

EDGE = np.where(np.arange(96) < 48, 60, 230).astype(np.uint8)
"""Grey levels across a vertical edge."""


@pytest.mark.parametrize("style", FILTERS)
def test_flat_image_stays_flat(style):
    drawing = FILTERS[style](np.full((64, 64, 3), (90, 120, 200), np.uint8))
    assert drawing.shape == (64, 64, 3)
    assert drawing.dtype == np.uint8
    assert np.ptp(drawing, axis=(0, 1)).max() <= 1


@pytest.mark.parametrize("style", FILTERS)
def test_edge_gets_a_dark_line(style):
    photo = np.broadcast_to(EDGE[:, np.newaxis], (96, 96, 3)).copy()
    light = to_lab(FILTERS[style](photo))[48, :, 0]
    assert light[42:50].min() < min(light[20], light[80]) - 5
    assert light[80] > 80


@pytest.mark.parametrize("style", FILTERS)
def test_pixel_depends_on_its_surroundings_only(style):
    photo = np.ascontiguousarray(skimage.data.chelsea()[60:260, 100:300, ::-1])
    changed = photo.copy()
    changed[99:102, 99:102] = 255 - changed[99:102, 99:102]
    difference = np.abs(FILTERS[style](photo).astype(int) - FILTERS[style](changed)).max(axis=2)
    rows, columns = np.nonzero(difference > 2)
    assert difference.max() > 20
    assert np.abs(rows - 100).max() <= REACH
    assert np.abs(columns - 100).max() <= REACH


def test_poster_has_its_five_inks():
    ramp = np.repeat(np.linspace(0, 255, 400), 4).astype(np.uint8)
    photo = np.broadcast_to(ramp[:, np.newaxis], (64, len(ramp), 3)).copy()
    inks = [tuple(poster.bgr(ink).astype(int)) for ink in poster.INKS]
    colours, counts = np.unique(poster.draw(photo)[32], axis=0, return_counts=True)
    frequent = {tuple(map(int, colour)) for colour in colours[counts > 40]}
    assert frequent == set(inks)
