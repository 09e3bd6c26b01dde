"""Transparency of an image, put back into its cartoon."""

from typing import Final

import cv2
import numpy as np

from dctnet.arrays import Pixels

_STRIP_PIXELS: Final = 1 << 18
"""Pixels that are calculated at a time, in float32."""


def with_alpha(rgb: Pixels, alpha: Pixels) -> Pixels:
    """Return a cartoon with the alpha of its image, HxWx4 uint8 RGBA.

    ``rgb`` is the cartoon, HxWx3 uint8, of the image on white; ``alpha`` HxW uint8 in the size of
    the image. White is taken out of translucent pixels, so that they have no pale fringe on
    another background, and the result looks on white as ``rgb`` does.
    """
    height, width = rgb.shape[:2]
    rgba: Pixels = np.empty((height, width, 4), np.uint8)
    rgba[..., 3] = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = slice(top, top + rows)
        share = np.maximum(rgba[strip, :, 3:].astype(np.float32) / 255, 1 / 255)
        colours = 255 - (255 - rgb[strip].astype(np.float32)) / share
        rgba[strip, :, :3] = np.rint(np.maximum(colours, 0))
    return rgba
