"""Head mask, `alpha.jpg`: the blending weights of a generated head."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 288
"""Side of the head square in pixels, `dctnet.engine.alignment.HEAD_SIDE`."""

MIDDLE = (144.0, 146.0)
"""x, y of the head's center: the eyes are at y 137, the mouth at 216, the chin at about 260."""

RADII = (124.0, 142.0)
"""Radii of the ellipse outside which the mask is 0, in pixels."""

RIM = 0.28
"""Fraction of the radii over which the mask fades from white to black."""

JPEG_QUALITY = 95


def head_mask() -> NDArray[np.uint8]:
    """Return the mask, 288x288 uint8: 255 over the face, fading over hair and neck to 0."""
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot((x - MIDDLE[0]) / RADII[0], (y - MIDDLE[1]) / RADII[1])
    inside = np.clip((1 - distance) / RIM, 0, 1)
    return np.rint(255 * inside**2 * (3 - 2 * inside)).astype(np.uint8)


def jpeg() -> bytes:
    """Return the mask as the bytes of `alpha.jpg`."""
    options: list[Any] = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", head_mask(), options)
    return encoded.tobytes()
