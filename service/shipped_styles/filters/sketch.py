"""Sketch: graphite lines, strands and a little shading on warm white paper.

edges across the flow, fine and broad ─► pressure of the lines
smooth lightness ─► grey of the shading, which fades to paper where there is no line
what strands are darker or lighter than their surroundings ─► texture of the shading
"""

import numpy as np

from dctnet.arrays import Pixels
from shipped_styles.filters.flow import Flow, Lines
from shipped_styles.filters.smoothing import (
    Plane,
    bilateral,
    blur,
    dark_gain,
    exposure,
    slope,
    to_lab,
)

FLOW_SIGMA = 2.2

FINE, FINE_FROM, FINE_TO, FINE_DARK = Lines(0.9, 4.5), 0.35, 2.2, 0.92
"""Fine lines: darkness in L* where the pencil touches the paper and where it is pressed, and how
much of the paper a pressed line covers."""
BROAD, BROAD_FROM, BROAD_TO, BROAD_DARK = Lines(1.7, 6.0), 1.0, 4.5, 0.6
"""Broad, softer lines along strong edges."""

WHITE, EXPOSURE_GAIN = 55.0, 1.6
TONE_FROM, TONE_TO, TONE_POWER, TONE_DARK = 82.0, 5.0, 1.45, 0.85
"""Lightness that stays paper, lightness that is shaded darkest, the curve between, its darkness."""
FADE_BLUR, FADE_FROM, FADE_TO, FADE_LEAST = 9.0, 0.25, 1.3, 0.6
"""Shading is full where slopes nearby, in L* per pixel, reach FADE_TO, and FADE_LEAST far away."""
DEEP_FROM, DEEP_TO = 24.0, 8.0
"""Lightness from which shading fades no longer, and at which it is full: black stays black."""
STRAND_BLUR, STRAND_GAIN, STRAND_LIGHT, STRAND_DARK = 4.0, 0.032, -0.22, 0.30
"""Strands in the shading: darkness per L* by which they differ from what is around, and limits."""

PAPER = np.float32([232, 244, 250])
LEAD = np.float32([44, 38, 36])
"""BGR of 255."""


def draw(image: Pixels) -> Pixels:
    """Return the pencil drawing of a photo, both HxWx3 uint8 BGR."""
    lab = to_lab(image)
    flow = Flow(lab, FLOW_SIGMA)
    light = flow.along(np.ascontiguousarray(lab[..., 0]), 2.5)
    smooth = bilateral(np.dstack([light, lab[..., 1:]]), rounds=3, side=9, colour=8.0, space=4.0)
    flat = np.ascontiguousarray(smooth[..., 0])
    gain = dark_gain(flat, 42.0, 1.7)

    fine = pressure(gain * flow.edges(light, FINE), FINE_FROM, FINE_TO)
    broad_light = flow.along(np.ascontiguousarray(lab[..., 0]), 3.5)
    broad = pressure(gain * flow.edges(broad_light, BROAD), BROAD_FROM, BROAD_TO)
    lines = flow.without_specks(1 - (1 - FINE_DARK * fine) * (1 - BROAD_DARK * broad), 0.12, 0.10)

    shades = shading(flat, gain)
    strands = np.clip(
        (blur(light, STRAND_BLUR) - light) * gain * STRAND_GAIN, STRAND_LIGHT, STRAND_DARK
    )
    shades = np.clip(shades + strands * np.clip(3 * shades, 0, 1), 0, 1)
    dark = (1 - (1 - shades) * (1 - lines))[..., np.newaxis]
    return np.rint(PAPER * (1 - dark) + LEAD * dark).astype(np.uint8)


def pressure(edges: Plane, touch: float, full: float) -> Plane:
    """Return how hard the pencil is pressed, 0..1."""
    return np.clip((edges - touch) / (full - touch), 0, 1) ** np.float32(0.8)


def shading(flat: Plane, gain: Plane) -> Plane:
    """Return the darkness of the shading, 0..1."""
    near = blur(slope(flat) * gain, FADE_BLUR)
    fade = FADE_LEAST + (1 - FADE_LEAST) * np.clip((near - FADE_FROM) / (FADE_TO - FADE_FROM), 0, 1)
    lit = flat * exposure(flat, WHITE, EXPOSURE_GAIN)
    fade = np.maximum(fade, np.clip((DEEP_FROM - lit) / (DEEP_FROM - DEEP_TO), 0, 1))
    tone = np.clip((TONE_FROM - lit) / (TONE_FROM - TONE_TO), 0, 1) ** np.float32(TONE_POWER)
    return fade * np.float32(TONE_DARK) * tone
