"""Pupils and the five points for face alignment.

Upstream: `get_f5p` and `find_pupil` in `modelscope/models/cv/cartoon/utils.py`.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dctnet.arrays import Floats, Pixels

# Upstream takes the first five of each eye's six iBUG points; heads must be aligned the same way.
_LEFT_EYE = slice(36, 41)
_RIGHT_EYE = slice(42, 47)
_NOSE, _MOUTH_LEFT, _MOUTH_RIGHT = 30, 48, 54


def five_points(image: Pixels, landmarks: Floats) -> Floats:
    """Return the pupils, the nose and the mouth corners, 5x2 float32 as x, y.

    `image` is HxWx3 uint8 RGB, `landmarks` 68x2 float32 as x, y in whole pixels. If a pupil is not
    found, both are replaced by the mean of their eye's points.
    """
    eyes = landmarks[_LEFT_EYE], landmarks[_RIGHT_EYE]
    pupils = [find_pupil(image, eye) for eye in eyes]
    if any(pupil is None for pupil in pupils):
        pupils = [eye.mean(axis=0) for eye in eyes]
    rest = landmarks[[_NOSE, _MOUTH_LEFT, _MOUTH_RIGHT]]
    return np.array([*pupils, *rest], dtype=np.float32)


def find_pupil(image: Pixels, eye: Floats) -> NDArray[np.float64] | None:
    """Return the median x, y of the dark pixels inside an eye's outline.

    `image` is HxWx3 uint8 RGB, `eye` Nx2 float32 as x, y in whole pixels. None if the eye is closed
    to a line or leaves the image.
    """
    height, width = image.shape[:2]
    left, top = eye.min(axis=0).astype(int)
    right, bottom = eye.max(axis=0).astype(int)
    if top >= bottom or left >= right or top < 0 or left < 0 or bottom > height or right > width:
        return None
    grey = cv2.equalizeHist(cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY))
    outline = (eye - [left, top]).astype(np.int32)
    inside = cv2.fillConvexPoly(np.zeros_like(grey), outline, 1)
    _, bright = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    ys, xs = np.nonzero((bright == 0) & (inside == 1))
    if len(xs) == 0:
        return np.array([grey.shape[1] / 2 + left, grey.shape[0] / 2 + top])
    middle = len(xs) // 2
    return np.array([np.sort(xs)[middle] + left, np.sort(ys)[middle] + top], dtype=np.float64)
