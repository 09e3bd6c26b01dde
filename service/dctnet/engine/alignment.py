"""Face alignment: the similarity transform of a face to the head network's square.

Upstream: `modelscope/models/cv/cartoon/mtcnn_pytorch/src/align_trans.py` and `matlab_cp2tform.py`
(MATLAB's `cp2tform` of type 'similarity').
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dctnet.arrays import Floats, Pixels

HEAD_SIDE = 288
"""Side of the head network's square image, in pixels."""

_RATIO = 0.75
_TEMPLATE_SIDE = 112
_WHITE = (255, 255, 255)

# Pupils, nose and mouth corners of a frontal face, x, y in 96x112 pixels, moved to a square of 112.
_TEMPLATE = np.array(
    [
        [30.29459953, 51.69630051],
        [65.53179932, 51.50139999],
        [48.02519989, 71.73660278],
        [33.54930115, 92.3655014],
        [62.72990036, 92.20410156],
    ]
) + np.array([9, 1])


def _reference_points() -> Floats:
    """Return the template's five points in the head square, 5x2 float32 as x, y."""
    center = _TEMPLATE_SIDE / 2
    points: Floats = _TEMPLATE.astype(np.float32)
    points = (points - center) * _RATIO + center
    return points * np.float32(HEAD_SIDE / _TEMPLATE_SIDE)


REFERENCE_POINTS = _reference_points()

_Matrix = NDArray[np.floating]


@dataclass(frozen=True)
class Alignment:
    """Two 2x3 matrices for `cv2.warpAffine`: image to head square and back."""

    to_head: _Matrix
    to_image: _Matrix


def align(points: Floats) -> Alignment | None:
    """Return the transform that maps a face's five points closest to the template's.

    `points` is 5x2 float32 as x, y: left and right pupil, nose, left and right mouth corner. None
    if the points coincide, so that no transform exists.
    """
    mirrored = REFERENCE_POINTS * np.array([-1, 1], np.float32)
    upright, reflected = _fit_inverse(points, REFERENCE_POINTS), _fit_inverse(points, mirrored)
    if upright is None or reflected is None:
        return None
    matrices = _invert(upright), _invert(reflected) @ np.diag([-1.0, 1.0, 1.0])
    # Upstream measures both candidates against the mirrored template, because its arrays alias; the
    # selected candidate, and so the result, depends on this.
    homogeneous = np.hstack([points, np.ones((len(points), 1))])
    errors = [np.linalg.norm((homogeneous @ matrix)[:, :2] - mirrored) for matrix in matrices]
    if errors[0] <= errors[1]:
        return Alignment(to_head=matrices[0][:, :2].T, to_image=upright[:, :2].T)
    return Alignment(to_head=matrices[1][:, :2].T, to_image=np.linalg.inv(matrices[1])[:, :2].T)


def crop_head(image: Pixels, alignment: Alignment) -> Pixels:
    """Return the aligned head of an HxWx3 uint8 image, 288x288x3, white outside the image."""
    size = (HEAD_SIDE, HEAD_SIDE)
    head = cv2.warpAffine(image, alignment.to_head, size, borderValue=_WHITE)
    return np.asarray(head, dtype=np.uint8)


def _fit_inverse(source: Floats, target: Floats) -> _Matrix | None:
    """Fit the 3x3 matrix of rotation, scale and shift that maps [target, 1] to source.

    Least squares from target to source, as in cp2tform. None if the source is a single point.
    """
    x, y = target[:, :1], target[:, 1:]
    one, zero = np.ones_like(x), np.zeros_like(x)
    system = np.vstack([np.hstack([x, y, one, zero]), np.hstack([y, -x, zero, one])])
    solution, *_ = np.linalg.lstsq(
        system.astype(np.float64), np.vstack([source[:, :1], source[:, 1:]]), rcond=None
    )
    cos, sin, shift_x, shift_y = solution[:, 0]
    if np.hypot(cos, sin) < np.finfo(np.float32).eps:
        return None
    return np.array([[cos, -sin, 0], [sin, cos, 0], [shift_x, shift_y, 1]])


def _invert(matrix: _Matrix) -> _Matrix:
    inverse: _Matrix = np.linalg.inv(matrix)
    inverse[:, 2] = [0, 0, 1]  # Removes rounding errors, as upstream does.
    return inverse
