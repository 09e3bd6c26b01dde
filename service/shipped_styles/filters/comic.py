"""Comic: cel-shaded flats in the photo's own hues, with ink lines of even width.

smooth along the flow ─► bilateral ─► wide bilateral ─► hue and chroma of the flats
└──► wide bilateral ─► lightness ─► four flat tones
edges across the flow, fine, bold and warm ─► ink, drawn over the flats
"""

import cv2
import numpy as np

from dctnet.arrays import Pixels
from shipped_styles.filters.flow import Flow, Lines, step
from shipped_styles.filters.smoothing import (
    Plane,
    bilateral,
    blur,
    dark_gain,
    exposure,
    from_lab,
    slope,
    to_lab,
    wide_bilateral,
)

FLOW_SIGMA = 2.0
STRAND = 2.2
"""Smoothing along the edges: hair becomes strands, noise goes, edges stay sharp."""

CUTS = (22.0, 47.0, 72.0)
"""Lightness at which one tone gives way to the next."""
TONES = (9.0, 38.0, 67.0, 90.0)
"""Lightness of the tones."""
CUT_SOFT = 2.0
"""Minimum half width of a cut in L*; on a steep edge a cut is two pixels wide."""
CUT_SHARE = 0.85
"""Share of the lightness that is cut; the rest keeps its slopes, so that large flats live."""
LIFT = 0.85
"""How much the darker half of the uncut share is raised: prints are brighter than photos."""

WHITE, EXPOSURE_GAIN = 42.0, 1.5

CHROMA_GAIN = 1.1
PALE_GAIN, PALE_CHROMA = 0.8, 24.0
"""Pale colours become 1 + PALE_GAIN times as colourful, those well above PALE_CHROMA stay."""
COLD_GAIN = 0.22
"""Further gain for hues other than those of skin, which should be neither orange nor grey."""
SKIN_HUE, SKIN_WIDTH = 58.0, 30.0
"""Hue of skin in degrees of Lab, alike in dark and light skin, and the width around it."""
SKIN_PALE = 0.5
"""Share of PALE_GAIN that pale skin gets: with all of it, light skin turns yellow."""
SKIN_RED = 3.0
"""What a* gains on skin, for the same reason."""

FINE, FINE_LEAST, FINE_SOFT = Lines(1.2, 4.0), 0.8, 0.5
"""Eyes, nose, mouth, strands; minimum darkness and its half width, in L*."""
BOLD, BOLD_LEAST, BOLD_SOFT = Lines(1.7, 5.0), 2.2, 0.9
"""Outlines."""
WARM, WARM_LEAST = 0.3, 2.6
"""Outlines in L* - WARM b*: warm skin in front of something cold that is equally light."""
INK_LIGHT, INK_CHROMA = 0.15, 0.5
"""What ink leaves of the colour beneath: dark brown on skin, dark red on lips, black on grey."""


def draw(image: Pixels) -> Pixels:
    """Return the comic of a photo, both HxWx3 uint8 BGR."""
    lab = to_lab(image)
    flow = Flow(lab, FLOW_SIGMA)
    strands = flow.along(lab, STRAND)
    flat = bilateral(strands, rounds=2, side=9, colour=8.0, space=4.0)
    hues = wide_bilateral(flat, rounds=4, side=11, colour=6.0, space=4.5)
    gain = exposure(hues[..., 0], WHITE, EXPOSURE_GAIN)

    light = wide_bilateral(flat, rounds=2, side=9, colour=6.0, space=3.5)[..., 0]
    light = blur(cv2.medianBlur(flow.along(light, 2.5), 5), 1.3) * gain
    colours = colourful(hues, np.sqrt(gain))
    colours[..., 0] = CUT_SHARE * tones(light) + (1 - CUT_SHARE) * brighten(light)

    lines = ink(flow, lab[..., 0], strands, dark_gain(hues[..., 0], 45.0, 2.2))[..., np.newaxis]
    inked = colours * np.float32([INK_LIGHT, INK_CHROMA, INK_CHROMA])
    return from_lab(colours * (1 - lines) + inked * lines)


def tones(light: Plane) -> Plane:
    """Cut lightness into flat tones."""
    soft = np.maximum(slope(light), CUT_SOFT)
    tone = np.full_like(light, TONES[0])
    for at, dark, bright in zip(CUTS, TONES[:-1], TONES[1:], strict=True):
        tone += (bright - dark) * step(light - at, soft)
    return tone


def brighten(light: Plane) -> Plane:
    """Raise dark tones, and leave light ones and black."""
    x = np.clip(light / 100, 0, 1)
    return 100 * (x + LIFT * x * (1 - x) ** 2 * np.clip((x - 0.08) / 0.14, -0.6, 1))


def colourful(lab: Plane, gain: Plane) -> Plane:
    """Raise chroma by `gain`, that of pale and of cold colours more; keep lightness."""
    a, b = lab[..., 1], lab[..., 2]
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    skin = np.exp(-(((hue - SKIN_HUE) / SKIN_WIDTH) ** 2))
    pale = PALE_GAIN * np.exp(-chroma / PALE_CHROMA) * (1 - (1 - SKIN_PALE) * skin)
    gain = CHROMA_GAIN * gain * (1 + pale + COLD_GAIN * (1 - skin))
    red = SKIN_RED * skin * np.clip(chroma / 15, 0, 1)
    return np.dstack([lab[..., 0], (a + red) * gain, b * gain])


def ink(flow: Flow, light: Plane, strands: Plane, gain: Plane) -> Plane:
    """Return how much ink covers each pixel, 0..1."""
    strand_light = np.ascontiguousarray(strands[..., 0])
    warm_light = strand_light - WARM * strands[..., 2]
    fine = step(gain * flow.edges(flow.along(light, 2.0), FINE) - FINE_LEAST, FINE_SOFT)
    bold = step(gain * flow.edges(strand_light, BOLD) - BOLD_LEAST, BOLD_SOFT)
    warm = step(gain * flow.edges(warm_light, BOLD) - WARM_LEAST, BOLD_SOFT)
    lines = np.maximum(np.maximum(fine, bold), warm)
    return flow.along(flow.without_specks(lines, 0.30, 0.15), 1.0)
