"""Working size, output size and padding of images.

Upstream: `resize_size` and `padTo16x` in `modelscope/models/cv/cartoon/utils.py`.
"""

import cv2
import numpy as np

from dctnet.arrays import Pixels

MAX_SHORT_SIDE = 720
"""Upper limit of a working image's short side, in pixels (upstream's)."""

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
