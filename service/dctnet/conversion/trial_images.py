"""Trial images for converted networks: three photos and variants of them.

Authors and licences: `photos/LICENSES.md`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dctnet.arrays import Pixels

PHOTOS = Path(__file__).parent / "photos"

NOISE_SEED = 1
"""Seed of the noise."""


def trial_images() -> list[Pixels]:
    """Return 58 images, HxWx3 uint8 RGB, of 2 to 640 pixels; the same every time."""
    photos = [read_photo(path) for path in sorted(PHOTOS.glob("*.jpg"))]
    variants = [change(photo) for photo in photos for change in _VARIANTS]
    return [*variants, *_montages(photos), *_images_without_faces()]


def golden_portraits() -> Iterator[Pixels]:
    """Yield golden inputs, the best first: heads, 224x224x3 uint8 RGB, small for a fast start."""
    head = np.ascontiguousarray(read_photo(PHOTOS / "astronaut.jpg")[16:240, 112:336])
    yield head
    yield _mirror(head)
    yield _brighten(0.8)(head)


def read_photo(path: Path) -> Pixels:
    """Read a photo, HxWx3 uint8 RGB."""
    photo = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    assert photo is not None, f"{path} ships with dctnet"
    return np.asarray(photo, np.uint8)


def _unchanged(photo: Pixels) -> Pixels:
    return photo


def _mirror(photo: Pixels) -> Pixels:
    return np.ascontiguousarray(photo[:, ::-1])


def _scale(scale: float) -> Callable[[Pixels], Pixels]:
    def change(photo: Pixels) -> Pixels:
        return _pixels(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))

    return change


def _rotate(degrees: float) -> Callable[[Pixels], Pixels]:
    def change(photo: Pixels) -> Pixels:
        height, width = photo.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        return _pixels(
            cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        )

    return change


def _crop(top: float, left: float, share: float) -> Callable[[Pixels], Pixels]:
    """Crop a window; its corner and sides are fractions of the photo's."""

    def change(photo: Pixels) -> Pixels:
        height, width = photo.shape[:2]
        y, x = int(top * height), int(left * width)
        window = photo[y : y + int(share * height), x : x + int(share * width)]
        return np.ascontiguousarray(window)

    return change


def _brighten(factor: float) -> Callable[[Pixels], Pixels]:
    return lambda photo: _pixels(photo * factor)


def _greyscale(photo: Pixels) -> Pixels:
    return _pixels(cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _blur(photo: Pixels) -> Pixels:
    return _pixels(cv2.GaussianBlur(photo, (0, 0), 2))


def _add_noise(photo: Pixels) -> Pixels:
    return _pixels(photo + np.random.default_rng(NOISE_SEED).normal(0, 12, photo.shape))


_VARIANTS: tuple[Callable[[Pixels], Pixels], ...] = (
    _unchanged,
    _mirror,
    _scale(0.25),
    _scale(0.6),
    _scale(1.25),
    _rotate(-20),
    _rotate(12),
    _crop(0.0, 0.0, 0.6),
    _crop(0.0, 0.35, 0.65),
    _crop(0.05, 0.15, 0.5),
    _crop(0.4, 0.2, 0.6),
    _brighten(0.4),
    _brighten(1.6),
    _greyscale,
    _blur,
    _add_noise,
    lambda photo: _mirror(_crop(0.0, 0.1, 0.7)(photo)),
)


def _montages(photos: list[Pixels]) -> Iterator[Pixels]:
    """Yield montages of all photos, in two sizes."""
    for side in (160, 320):
        yield np.hstack([_pixels(cv2.resize(photo, (side, side))) for photo in photos])


def _images_without_faces() -> Iterator[Pixels]:
    """Yield images without faces: black, white, noise, and strips."""
    yield np.zeros((256, 256, 3), np.uint8)
    yield np.full((320, 200, 3), 255, np.uint8)
    yield np.random.default_rng(NOISE_SEED).integers(0, 256, (300, 420, 3), np.uint8)
    yield np.full((2, 640, 3), (200, 30, 90), np.uint8)
    yield np.random.default_rng(NOISE_SEED).integers(0, 256, (640, 24, 3), np.uint8)


def _pixels(values: NDArray[Any]) -> Pixels:
    pixels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels
