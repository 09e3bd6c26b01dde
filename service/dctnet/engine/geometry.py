"""Working size, output size and padding of images.

Upstream: `resize_size` and `padTo16x` in `modelscope/models/cv/cartoon/utils.py`.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from dctnet.arrays import Floats, Pixels

MAX_SHORT_SIDE = 720
"""Upper limit of a working image's short side, in pixels (upstream's)."""

REDUCTIONS = (8, 4, 2)
"""Factors by which JPEG decoders reduce an image at little cost, the largest first."""

REDUCED_MARGIN = 2
"""Least ratio of a reduced image's sides to those that are needed. Decoders reduce by another
filter than area averaging. From 1 to 2 cartoons differ by up to 2.2 levels of 255 on average, from
2 on by up to 1; benchmarks/reduced_decoding.py measures it."""

STRIP_PIXELS = 1 << 15
"""Pixels of a strip of rows that is computed at once, in float32 in memory that every strip uses.
New memory for each, or for the whole image, would take longer than the arithmetic: the system
clears its pages."""

_MULTIPLE = 16
_WHITE = 255


def working_size(height: int, width: int, max_side: int) -> tuple[int, int]:
    """Return the (height, width) of the working image, in pixels.

    Upstream limits only the short side, to 720. `max_side` also limits the long side, which bounds
    time and memory for any shape.
    """
    if min(height, width) > MAX_SHORT_SIDE:
        if height > width:
            height, width = int(MAX_SHORT_SIDE * height / width), MAX_SHORT_SIDE
        else:
            height, width = MAX_SHORT_SIDE, int(MAX_SHORT_SIDE * width / height)
    longest = max(height, width)
    if longest > max_side:
        height = max(1, height * max_side // longest)
        width = max(1, width * max_side // longest)
    return height, width


def output_size(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    """Return the (height, width) of a cartoon whose longest side is at most `max_side` pixels.

    Keeps the aspect ratio and never enlarges; None keeps the size. Swapped sides give the swapped
    size, so that it may be computed before or after an image is rotated upright.
    """
    longest = max(height, width)
    if max_side is None or longest <= max_side:
        return height, width
    return max(1, round(height * max_side / longest)), max(1, round(width * max_side / longest))


def reduction(
    height: int, width: int, max_working_side: int, max_side: int | None, strength: float
) -> int:
    """Return the factor by which an image may be reduced while it is decoded; 1 if by none.

    Of the image itself only the working size is needed, and the output size to mix it in. The
    factor divides both sides, so that the reduced image shows the same as the whole one.
    """
    needed = [working_size(height, width, max_working_side)]
    if strength < 1:
        needed.append(output_size(height, width, max_side))
    for factor in REDUCTIONS:
        reaches = all(
            REDUCED_MARGIN * factor * h <= height and REDUCED_MARGIN * factor * w <= width
            for h, w in needed
        )
        if reaches and height % factor == width % factor == 0:
            return factor
    return 1


def largest_padded_size(max_side: int) -> tuple[int, int]:
    """Return the (height, width) of the largest working image, including padding.

    A short side that is a multiple of 16 is padded too if the long side, one pixel less, is not.
    """
    short = min(MAX_SHORT_SIDE, max_side)
    return (short // _MULTIPLE + 1) * _MULTIPLE, -(-max_side // _MULTIPLE) * _MULTIPLE


def resize(image: Pixels, height: int, width: int) -> Pixels:
    """Resize an HxWxC uint8 image with INTER_AREA, up and down, as upstream does."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(
        cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def row_strips(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of each strip of `STRIP_PIXELS`, at least one row, from top to bottom."""
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def resized_strips(canvas: Floats, height: int, width: int) -> Iterator[tuple[slice, Floats]]:
    """Yield the rows, and their HxWx3 float32 pixels, of a canvas resized with INTER_AREA.

    The pixels are only read, and only until the next strip. Rows of an enlarged canvas are mixed
    with the weights of OpenCV, which can only resize columns of a part.
    """
    own_height, own_width = canvas.shape[:2]
    if height < own_height or width < own_width:
        shrunk = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        canvas = np.asarray(shrunk, dtype=np.float32).reshape(height, width, 3)
    if canvas.shape[:2] == (height, width):
        for rows in row_strips(height, width):
            yield rows, canvas[rows]
        return
    step = height / own_height
    most = next(row_strips(height, width)).stop
    mixed, below = np.empty((2, most, own_width, 3), np.float32)
    resized = np.empty((most, width, 3), np.float32)
    for rows in row_strips(height, width):
        y = np.arange(rows.start, rows.stop)
        upper = np.floor(y * (1 / step)).astype(int)
        lower = np.minimum(upper + 1, own_height - 1)
        weights = np.maximum(0, (y + 1 - (upper + 1) * step).astype(np.float32)) % 1
        weights = weights[:, np.newaxis, np.newaxis]
        strip, other = mixed[: len(y)], below[: len(y)]
        np.multiply(np.take(canvas, upper, 0, strip, "clip"), 1 - weights, out=strip)
        np.multiply(np.take(canvas, lower, 0, other, "clip"), weights, out=other)
        strip += other
        size = (width, len(y))
        cv2.resize(strip, size, dst=resized[: len(y)], interpolation=cv2.INTER_AREA)
        yield rows, resized[: len(y)]


def pad_to_multiple(image: Pixels) -> Pixels:
    """Pad an HxWx3 uint8 image with white, right and bottom, to multiples of 16.

    If only one side is a multiple, upstream pads both. So does this function, because the padding
    influences the image.
    """
    height, width, channels = image.shape
    if height % _MULTIPLE == 0 and width % _MULTIPLE == 0:
        return image
    padded = np.full(
        ((height // _MULTIPLE + 1) * _MULTIPLE, (width // _MULTIPLE + 1) * _MULTIPLE, channels),
        _WHITE,
        dtype=np.uint8,
    )
    padded[:height, :width] = image
    return padded
