"""Cartoon filter, the demo generator's training target: flat colours and soft ink lines.

A classical filter after Winnemöller, Olsen and Gooch, "Real-time video abstraction" (SIGGRAPH
2006): repeated bilateral smoothing, soft steps of lightness, and ink from a difference of
Gaussians. Every threshold is soft, and lines are at least two pixels wide, because the network ends
in a 3x3 guided filter, which cannot produce finer lines.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

SMOOTHING_ROUNDS = 4
SMOOTHING_WIDTH = 9
"""Side of the bilateral window in pixels."""
SMOOTHING_COLOUR = 15.0
"""Standard deviation of the bilateral filter over CIE Lab distance."""
SMOOTHING_SPACE = 3.5
"""Standard deviation of the bilateral filter over distance, in pixels."""

LIGHTNESS_STEP = 14.0
"""Distance between the flat tones in CIE L*, which ranges from 0 to 100."""
STEP_SHARPNESS = 2.5
"""1 keeps lightness unchanged; higher values flatten the tones and steepen the transitions."""
CHROMA_GAIN = 1.15

INK_FINE, INK_WIDE = 1.2, 2.6
"""Standard deviations of the two Gaussians in pixels, which set the width of the lines."""
INK_THRESHOLD = 3.6
"""Minimum darkness of a line relative to its surroundings, in L*; keeps skin free of lines."""
INK_SHARPNESS = 1.2
"""Slope of the soft threshold per unit of L*."""
INK_DARKEST = 0.06
"""Fraction of the colour that remains under full ink."""
INK_TEXTURE = 0.2
"""Fraction of the unsmoothed image in the input of the ink lines."""


def cartoon(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the cartoon of a photo, HxWx3 uint8 BGR; receptive field about 20 pixels."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    smooth = lab
    for _ in range(SMOOTHING_ROUNDS):
        smooth = cv2.bilateralFilter(smooth, SMOOTHING_WIDTH, SMOOTHING_COLOUR, SMOOTHING_SPACE)
    flat = smooth.copy()
    flat[..., 0] = soft_steps(smooth[..., 0])
    flat[..., 1:] *= CHROMA_GAIN
    bgr = np.clip(cv2.cvtColor(flat, cv2.COLOR_LAB2BGR), 0, 1)
    light = (1 - INK_TEXTURE) * smooth[..., 0] + INK_TEXTURE * lab[..., 0]
    bgr *= paper(light)[..., np.newaxis]
    return np.rint(255 * np.clip(bgr, 0, 1)).astype(np.uint8)


def soft_steps(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pull lightness (L*, 0 to 100) towards the centers of equal steps; continuous, monotone."""
    middle = LIGHTNESS_STEP * (np.floor(lightness / LIGHTNESS_STEP) + 0.5)
    offset = (lightness - middle) / (LIGHTNESS_STEP / 2)
    return middle + LIGHTNESS_STEP / 2 * np.sign(offset) * np.abs(offset) ** STEP_SHARPNESS


def paper(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the fraction of its colour that each pixel keeps: INK_DARKEST under full ink."""
    fine = cv2.GaussianBlur(lightness, (0, 0), INK_FINE)
    wide = cv2.GaussianBlur(lightness, (0, 0), INK_WIDE)
    dark = np.exp(-INK_SHARPNESS * (fine - wide + INK_THRESHOLD))
    return INK_DARKEST + (1 - INK_DARKEST) / (1 + dark)
