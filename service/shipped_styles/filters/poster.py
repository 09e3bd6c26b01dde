"""Poster: five flat inks of a screen print, from midnight to cream, by lightness alone.

smooth along the flow ─► bilateral ─► wide bilateral ─► lightness ─► five inks
edges across the flow ─► lines in the darkest ink, drawn over them
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dctnet.arrays import Pixels
from shipped_styles.filters.flow import Flow, Lines, step
from shipped_styles.filters.smoothing import (
    Plane,
    bilateral,
    blur,
    exposure,
    slope,
    to_lab,
    wide_bilateral,
)

INKS = ("#17203a", "#7a2a5a", "#e8503a", "#f9a852", "#fdf1d8")
"""Midnight, plum, vermilion, apricot and cream: each clearly lighter than the one before it."""
CUTS = (20.0, 38.0, 56.0, 76.0)
"""Lightness at which one ink gives way to the next."""
CUT_EDGE, CUT_SOFT = 0.8, 1.5
"""Half width of a cut: in pixels, and at least so much lightness where it hardly changes."""

FLOW_SIGMA = 2.5
STRAND = 2.5
"""Smoothing along the edges."""

WHITE, EXPOSURE_GAIN = 50.0, 1.8

LINES, LINES_LEAST, LINES_SOFT = Lines(1.2, 5.0), 0.9, 0.5
"""Minimum darkness of a line and its half width, in L*."""


def draw(image: Pixels) -> Pixels:
    """Return the poster of a photo, both HxWx3 uint8 BGR."""
    lab = to_lab(image)
    flow = Flow(lab, FLOW_SIGMA)
    flat = bilateral(flow.along(lab, STRAND), rounds=2, side=9, colour=9.0, space=4.0)
    light = wide_bilateral(flat, rounds=2, side=9, colour=6.0, space=3.5)[..., 0]
    light = blur(cv2.medianBlur(flow.along(light, 3.0), 5), 1.3)
    gain = exposure(light, WHITE, EXPOSURE_GAIN)

    edges = flow.edges(flow.along(lab[..., 0], 2.5), LINES)
    lines = flow.without_specks(step(gain * edges - LINES_LEAST, LINES_SOFT), 0.35, 0.15)
    lines = flow.along(lines, 1.0)[..., np.newaxis]
    inks = printed(light * gain)
    return np.rint(inks * (1 - lines) + bgr(INKS[0]) * lines).astype(np.uint8)


def printed(light: Plane) -> Plane:
    """Print each pixel in its ink, HxWx3 float32 BGR of 255."""
    soft = np.maximum(CUT_EDGE * slope(light), CUT_SOFT)
    colour = np.broadcast_to(bgr(INKS[0]), (*light.shape, 3))
    for at, ink in zip(CUTS, INKS[1:], strict=True):
        share = step(light - at, soft)[..., np.newaxis]
        colour = colour * (1 - share) + bgr(ink) * share
    return colour


def bgr(ink: str) -> NDArray[np.float32]:
    """Return the colour of #rrggbb, BGR of 255."""
    return np.float32([int(ink[k : k + 2], 16) for k in (5, 3, 1)])
