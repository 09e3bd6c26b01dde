"""The cartoon that the demo model's generator learns: flat colours and soft ink lines.

A classical filter after Winnemöller, Olsen and Gooch, "Real-time video abstraction" (SIGGRAPH
2006): repeated bilateral smoothing, soft steps of lightness, and ink from a difference of
Gaussians. Every threshold is soft, and lines are two pixels wide or more, because the network ends
in a 3x3 guided filter that cannot draw anything finer.
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
"""Distance of the flat tones in CIE L*, which runs from 0 to 100."""
STEP_SHARPNESS = 2.5
"""1 leaves lightness alone; higher values flatten the tones and steepen what lies between."""
CHROMA_GAIN = 1.15

INK_FINE, INK_WIDE = 1.2, 2.6
"""Standard deviations of the two Gaussians in pixels: they set the width of the lines."""
INK_THRESHOLD = 3.6
"""How much darker than its surroundings, in L*, a line must be; below it skin stays clean."""
INK_SHARPNESS = 1.2
"""Slope of the soft threshold per unit of L*."""
INK_DARKEST = 0.06
"""What full ink leaves of the colour beneath."""
INK_TEXTURE = 0.2
"""Share of the unsmoothed image in what the ink is drawn from."""


def cartoon(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn a photo into its cartoon, both HxWx3 uint8 BGR; a pixel depends on some 20 around it."""
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
    """Draw lightness (L*, 0 to 100) towards the middles of equal steps; continuous, monotone."""
    middle = LIGHTNESS_STEP * (np.floor(lightness / LIGHTNESS_STEP) + 0.5)
    offset = (lightness - middle) / (LIGHTNESS_STEP / 2)
    return middle + LIGHTNESS_STEP / 2 * np.sign(offset) * np.abs(offset) ** STEP_SHARPNESS


def paper(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of its colour that each pixel keeps: INK_DARKEST under full ink."""
    fine = cv2.GaussianBlur(lightness, (0, 0), INK_FINE)
    wide = cv2.GaussianBlur(lightness, (0, 0), INK_WIDE)
    dark = np.exp(-INK_SHARPNESS * (fine - wide + INK_THRESHOLD))
    return INK_DARKEST + (1 - INK_DARKEST) / (1 + dark)
