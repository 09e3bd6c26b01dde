"""Blending of a generated head onto the generated background.

Upstream: the end of `forward` in `modelscope/pipelines/cv/image_cartoon_pipeline.py`.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dctnet.arrays import Floats, GeneratorOutput
from dctnet.engine.alignment import HEAD_SIDE
from dctnet.engine.geometry import row_strips
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.open_files import Readable


def read_alpha(file: Readable) -> Floats:
    """Read the head mask, `alpha.jpg`: 288x288 float32, 0 for background to 1 for head.

    Raises ModelError if it cannot be read or is not an image.
    """
    try:
        data = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise ModelError(
            f"The head mask {file} cannot be read: {os_error_reason(error)}."
        ) from error
    # OpenCV raises an error for empty data.
    mask = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if mask is None:
        raise ModelError(f"The head mask {file} is not an image.")
    mask = cv2.resize(mask, (HEAD_SIDE, HEAD_SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(mask, cv2.COLOR_BGR2GRAY).astype(np.float32) / np.float32(255)


def blend(
    canvas: Floats, head: GeneratorOutput, alpha: Floats, to_image: NDArray[np.floating]
) -> None:
    """Blend `head` onto `canvas` in place with the weights `alpha`.

    `canvas` is HxWx3 float32, `head` 288x288x3 uint8 or float32 in the same colour order, `alpha`
    288x288 float32, `to_image` the 2x3 matrix from the head square to the canvas.
    """
    height, width = canvas.shape[:2]
    left, top, right, bottom = _bounds(to_image, height, width)
    if left >= right or top >= bottom:
        return
    # Shift only rows: OpenCV rounds x coordinates to fractions of a pixel from the left edge, so a
    # shift of columns would change the result.
    shifted = to_image - [[0, 0, 0], [0, 0, top]]
    size = (right, bottom - top)
    warped = cv2.warpAffine(head, shifted, size)[:, left:]
    weight = cv2.warpAffine(alpha, shifted, size)[:, left:, np.newaxis]
    region = canvas[top:bottom, left:right]
    strips = list(row_strips(*region.shape[:2]))
    products = np.empty((strips[0].stop, right - left, 3), np.float32)
    for rows in strips:
        strip, share, product = region[rows], weight[rows], products[: rows.stop - rows.start]
        strip *= 1 - share
        strip += np.multiply(share, warped[rows], out=product)


def _bounds(to_image: NDArray[np.floating], height: int, width: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the region of the canvas that the head can reach."""
    # Interpolation reaches one pixel outside the square.
    corners = np.array([[x, y] for x in (-1, HEAD_SIDE) for y in (-1, HEAD_SIDE)])
    moved = corners @ to_image[:, :2].T + to_image[:, 2]
    left, top = np.floor(moved.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(moved.max(axis=0)).astype(int) + 2
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)
