"""68 landmarks of a face in a box.

Upstream: `_one_shot_run` in `modelscope/models/cv/cartoon/facelib/face_landmark.py`.
"""

import cv2
import numpy as np

from dctnet.arrays import Floats, Pixels
from dctnet.engine.detection import FILL_RGB
from dctnet.runtimes import Landmarker

MIN_FACE_SIDE = 60
"""A box no larger than this on both sides, in pixels of the working image, is not drawn."""

_SIDE = 160
_MARGIN = 0.2


def find_landmarks(image: Pixels, box: Floats, landmarker: Landmarker) -> Floats | None:
    """Return the 68 landmarks of the face in `box`, or None where it is too small to draw.

    `image` is HxWx3 uint8 RGB, `box` 4 float32 as x1, y1, x2, y2 in its pixels. The answer is
    68x2 float32 as x, y, whole pixels of the image, and may lie outside of it.
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
    # In upstream's order of operations and precision, since what is cut to whole pixels next
    # would otherwise land on the neighbouring pixel now and then.
    points = landmarker(resized) * size / np.float32(_SIDE) * np.float32(_SIDE)
    corner = np.array([left, top], np.float64)
    landmarks: Floats = np.trunc(points + corner).astype(np.float32)
    return landmarks


def _crop_window(box: Floats, height: int, width: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom in whole pixels of a square around the box.

    Where that lies far outside of an image of height x width pixels, it is less than a square.
    """
    box_width = box[2] - box[0]
    # Upstream puts a border around the image before it rounds, towards zero, and cuts.
    border = int(max(box_width, box[3] - box[1]))
    half = np.float32(1 + 2 * _MARGIN) * box_width // 2
    shifted = box + np.float32(border)
    center = (shifted[:2] + shifted[2:]) // 2
    edges = np.concatenate([center - half, center + half]).astype(int) - border
    left, top = np.maximum(edges[:2], -border).tolist()
    right, bottom = np.minimum(edges[2:], [width + border, height + border]).tolist()
    return left, top, right, bottom


def _crop(image: Pixels, left: int, top: int, right: int, bottom: int) -> Pixels | None:
    """Cut a window out of the image, filled where it leaves it; None where it is empty."""
    if bottom <= top or right <= left:
        return None
    # A window beside the image is all fill, and drawn as upstream draws it.
    inside = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    crop = np.full((bottom - top, right - left, 3), FILL_RGB, dtype=np.uint8)
    y, x = max(-top, 0), max(-left, 0)
    crop[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return crop
