"""Face detection.

Upstream: `modelscope/models/cv/cartoon/facelib/face_detector.py` and `sort` in `facer.py`.
"""

import cv2
import numpy as np

from dctnet.arrays import Floats, Pixels
from dctnet.runtimes import Detector

MAX_FACES = 10
"""Largest number of faces per image; the largest faces are kept (upstream's `topk`)."""

MIN_SCORE = 0.8
"""Boxes with this score or less are dropped (upstream's `thres`)."""

_SIDE = 512
FILL_RGB = (123, 116, 103)
"""Fill colour outside the image, RGB: the mean of the networks' training images."""


def find_faces(image: Pixels, detector: Detector) -> Floats:
    """Return the face boxes of an HxWx3 uint8 RGB image.

    Nx4 float32 as x1, y1, x2, y2 in pixels of the image, N at most `MAX_FACES`.
    """
    scale = _SIDE / max(image.shape[:2])
    if min(image.shape[:2]) * scale < 1:
        return np.empty((0, 4), np.float32)  # Less than one pixel wide for the detector.
    boxes, scores = detector(_letterbox(image, scale))
    boxes = boxes[scores > MIN_SCORE] * np.float32(_SIDE / scale)
    boxes = boxes[:, [1, 0, 3, 2]]
    if len(boxes) > MAX_FACES:
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        boxes = boxes[areas.argsort()[-MAX_FACES:][::-1]]
    return boxes


def _letterbox(image: Pixels, scale: float) -> Pixels:
    """Scale an image into the top left of the detector's square."""
    scaled = cv2.resize(image, None, fx=scale, fy=scale)
    square = np.full((_SIDE, _SIDE, 3), FILL_RGB, dtype=np.uint8)
    square[: scaled.shape[0], : scaled.shape[1]] = scaled
    return square
