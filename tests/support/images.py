"""Images with known numbers of faces, from scikit-image.

The astronaut is NASA's Eileen Collins (public domain); coffee by Rachel Michetti and the cat
Chelsea by Stefan van der Walt (CC0).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

RgbImage = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """An image, HxWx3 uint8 RGB, and its number of faces."""

    name: str
    faces: int
    make: Callable[[], Any]

    def image(self) -> RgbImage:
        return np.ascontiguousarray(self.make(), dtype=np.uint8)


def astronaut() -> Any:
    return skimage.data.astronaut()


def _face() -> Any:
    return astronaut()[20:280, 110:350]


def _resize(image: Any, width: int, height: int) -> Any:
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _rotate(image: Any, degrees: float) -> Any:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def _paste(size: tuple[int, int], positions: list[tuple[int, int]]) -> Any:
    """Return a dark image of size (height, width) with the face at each (top, left)."""
    canvas = np.full((*size, 3), (58, 66, 74), dtype=np.uint8)
    face = _face()
    for top, left in positions:
        region = canvas[max(top, 0) : top + face.shape[0], max(left, 0) : left + face.shape[1]]
        y, x = max(-top, 0), max(-left, 0)
        region[:] = face[y : y + region.shape[0], x : x + region.shape[1]]
    return canvas


SAMPLES = (
    Sample("portrait", 1, astronaut),
    Sample(
        "portrait larger than the short side's bound", 1, lambda: _resize(astronaut(), 760, 790)
    ),
    Sample("face alone", 1, _face),
    Sample("turned and no multiple of 16", 1, lambda: _rotate(astronaut(), 15)[:401, 30:403]),
    Sample("one side a multiple of 16", 1, lambda: astronaut()[:304, 90:361]),
    Sample("two faces", 2, lambda: np.hstack([_face(), _face()[:, ::-1]])),
    Sample("two faces that overlap", 2, lambda: _paste((330, 430), [(10, 5), (40, 170)])),
    Sample("face at the border", 1, lambda: astronaut()[60:330, 180:420]),
    Sample(
        "grey",
        1,
        lambda: cv2.cvtColor(cv2.cvtColor(_face(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
    ),
    Sample("coffee", 0, lambda: _resize(skimage.data.coffee(), 300, 200)),
    Sample("cat", 0, skimage.data.chelsea),
    Sample(
        "no face and larger than the short side's bound",
        0,
        lambda: _resize(skimage.data.coffee(), 1090, 727),
    ),
)
