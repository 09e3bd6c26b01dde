"""Sizes: what the networks work at.

Upstream: `resize_size` and `padTo16x` in `modelscope/models/cv/cartoon/utils.py`.
"""

import cv2
import numpy as np

from dctnet.arrays import Pixels

MAX_SHORT_SIDE = 720
"""The longest that the short side of a working image may be, in pixels (upstream's)."""

_MULTIPLE = 16
_WHITE = 255


def working_size(height: int, width: int, max_side: int) -> tuple[int, int]:
    """Return the (height, width) in pixels at which an image is worked on.

    Upstream bounds the short side only, to 720; the long side is then bounded by `max_side`, so
    that time and memory are bounded whatever the shape.
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


def largest_padded_size(max_side: int) -> tuple[int, int]:
    """Return the (height, width) of the most pixels that are drawn at once, padding counted.

    A short side that is a multiple is padded too where the long one, a pixel less, is none.
    """
    short = min(MAX_SHORT_SIDE, max_side)
    return (short // _MULTIPLE + 1) * _MULTIPLE, -(-max_side // _MULTIPLE) * _MULTIPLE


def resize(image: Pixels, height: int, width: int) -> Pixels:
    """Resize an HxWxC uint8 image by area averaging, as upstream does in both directions."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(
        cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def pad_to_multiple(image: Pixels) -> Pixels:
    """Pad an HxWx3 uint8 image with white on the right and below to multiples of 16.

    Where one side is a multiple already and the other is not, upstream pads both; so do we, since
    what lies beyond the border reaches into the image.
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
