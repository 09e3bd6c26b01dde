"""Face landmarks.

Upstream: `_one_shot_run` in `modelscope/models/cv/cartoon/facelib/face_landmark.py`.
"""

import cv2
import numpy as np

from dctnet.arrays import Floats, Pixels
from dctnet.engine.detection import FILL_RGB
from dctnet.runtimes import Landmarker

MIN_FACE_SIDE = 60
"""Faces with both sides at or below this are skipped; pixels of the working image."""

_SIDE = 160
_MARGIN = 0.2


def find_landmarks(image: Pixels, box: Floats, landmarker: Landmarker) -> Floats | None:
    """Return the 68 landmarks of the face in `box`, or None if it is too small.

    `image` is HxWx3 uint8 RGB, `box` 4 float32 as x1, y1, x2, y2 in its pixels. The landmarks are
    68x2 float32 as x, y, in whole pixels of the image, and may lie outside it.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    if width <= MIN_FACE_SIDE and height <= MIN_FACE_SIDE:
        return None
    left, top, right, bottom = _crop_window(box, *image.shape[:2])
    crop = _crop(image, left, top, right, bottom)
    if crop is None:
        return None
    resized = cv2.resize(crop, (_SIDE, _SIDE)).astype(np.float32)
    size = np.array([right - left, bottom - top], np.float32)
    # Same order and precision as upstream: otherwise the truncation below sometimes gives the
    # neighbouring pixel.
    points = landmarker(resized) * size / np.float32(_SIDE) * np.float32(_SIDE)
    corner = np.array([left, top], np.float64)
    landmarks: Floats = np.trunc(points + corner).astype(np.float32)
    return landmarks


def _crop_window(box: Floats, height: int, width: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom, in whole pixels, of a square around the box.

    It is clipped if it lies far outside an image of height x width pixels.
    """
    box_width = box[2] - box[0]
    # Upstream adds a border to the image before it rounds towards zero and crops.
    border = int(max(box_width, box[3] - box[1]))
    half = np.float32(1 + 2 * _MARGIN) * box_width // 2
    shifted = box + np.float32(border)
    center = (shifted[:2] + shifted[2:]) // 2
    edges = np.concatenate([center - half, center + half]).astype(int) - border
    left, top = np.maximum(edges[:2], -border).tolist()
    right, bottom = np.minimum(edges[2:], [width + border, height + border]).tolist()
    return left, top, right, bottom


def _crop(image: Pixels, left: int, top: int, right: int, bottom: int) -> Pixels | None:
    """Crop a window, with fill colour outside the image; None if the window is empty."""
    if bottom <= top or right <= left:
        return None
    # A window outside the image is all fill colour, as in upstream.
    inside = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    crop = np.full((bottom - top, right - left, 3), FILL_RGB, dtype=np.uint8)
    y, x = max(-top, 0), max(-left, 0)
    crop[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return crop
