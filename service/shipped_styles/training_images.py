"""Training images of the shipped styles, from pinned packages, and their augmentation.

Every image's author and licence is listed in `dctnet/models/shipped/common/LICENSES.md`.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np


@dataclass(frozen=True)
class TrainingImage:
    """An image in an installed package."""

    package: str
    path: str
    weight: float = 1.0
    """Relative sampling frequency in training."""

    def read(self) -> np.ndarray:
        """Return the image, HxWx3 uint8 BGR."""
        data = np.frombuffer(files(self.package).joinpath(self.path).read_bytes(), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR)


TRAINING = {
    "grace_hopper": TrainingImage("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", 4),
    "china": TrainingImage("sklearn.datasets.images", "china.jpg", 2),
    "flower": TrainingImage("sklearn.datasets.images", "flower.jpg", 2),
    "rocket": TrainingImage("skimage.data", "rocket.jpg", 1.5),
    "camera": TrainingImage("skimage.data", "camera.png", 1.5),
    "retina": TrainingImage("skimage.data", "retina.jpg", 0.2),
    "hubble": TrainingImage("skimage.data", "hubble_deep_field.jpg", 0.2),
    "ihc": TrainingImage("skimage.data", "ihc.png", 0.2),
    "coins": TrainingImage("skimage.data", "coins.png", 0.3),
    "brick": TrainingImage("skimage.data", "brick.png", 0.3),
    "grass": TrainingImage("skimage.data", "grass.png", 0.3),
    "gravel": TrainingImage("skimage.data", "gravel.png", 0.2),
}

HELD_OUT = {
    "astronaut": TrainingImage("skimage.data", "astronaut.png"),
    "chelsea": TrainingImage("skimage.data", "chelsea.png"),
    "coffee": TrainingImage("skimage.data", "coffee.png"),
}


SHAPES_SHARE = 0.5
"""Share of patches with pasted shapes, whose ramps teach where one tone gives way to the next."""


def resize(image: np.ndarray, side: int) -> np.ndarray:
    """Resize the image's shorter side to `side` and crop both to multiples of 16."""
    height, width = image.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(image, size, interpolation=interpolation)
    return scaled[: scaled.shape[0] // 16 * 16, : scaled.shape[1] // 16 * 16]


@cache
def _pyramid(name: str) -> list[np.ndarray]:
    """Return the training image at full, half and quarter size."""
    levels = [TRAINING[name].read()]
    for _ in range(2):
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return levels


def patch(random: np.random.Generator, side: int) -> np.ndarray:
    """Return a random augmented crop of a training image, side x side x 3 uint8 BGR."""
    weights = np.array([image.weight for image in TRAINING.values()])
    name = list(TRAINING)[random.choice(len(TRAINING), p=weights / weights.sum())]
    square = _random_crop(_pyramid(name), random, side)
    square = _change_colours(square, random)
    if random.random() < SHAPES_SHARE:
        square = _add_shapes(square, random)
    return _degrade(square, random)


def _random_crop(pyramid: list[np.ndarray], random: np.random.Generator, side: int) -> np.ndarray:
    shortest = min(pyramid[0].shape[:2])
    scale = max(2 ** random.uniform(-2, 1), side / shortest)
    level = int(np.clip(np.round(-np.log2(scale)), 0, len(pyramid) - 1))
    source = pyramid[level]
    scale *= 2**level
    height, width = source.shape[:2]
    reach = side / scale / 2
    centre_x = random.uniform(min(reach, width / 2), max(width - reach, width / 2))
    centre_y = random.uniform(min(reach, height / 2), max(height - reach, height / 2))
    angle = random.uniform(-35, 35) if random.random() < 0.5 else 0.0
    matrix = cv2.getRotationMatrix2D((centre_x, centre_y), angle, scale)
    matrix[:, 2] += side / 2 - np.array([centre_x, centre_y])
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    square = cv2.warpAffine(
        source, matrix, (side, side), flags=way, borderMode=cv2.BORDER_REFLECT_101
    )
    if random.random() < 0.5:
        square = square[:, ::-1]
    if random.random() < 0.15:
        square = square[::-1]
    if random.random() < 0.15:
        square = square.transpose(1, 0, 2)
    return square


def _change_colours(square: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Vary light, exposure, saturation and hue, to cover skin, sky and paint of every tone."""
    x = square.astype(np.float32) / 255
    x = x ** np.float32(2 ** random.normal(0, 0.4))
    x = x * np.float32(random.uniform(0.6, 1.25)) + np.float32(random.uniform(-0.08, 0.12))
    x = x * random.uniform(0.85, 1.15, 3).astype(np.float32)
    grey = x.mean(axis=2, keepdims=True)
    if np.ptp(square.astype(np.int16), axis=2).max() < 12:
        # Tint a grey image with two colours, one for dark and one for light tones.
        dark, light = random.uniform(0, 0.4, 3), random.uniform(0.5, 1, 3)
        tinted = dark + (light - dark) * np.clip(grey, 0, 1)
        x = tinted.astype(np.float32) if random.random() < 0.7 else x
    else:
        x = grey + (x - grey) * np.float32(random.uniform(0.2, 1.6))
    if random.random() < 0.15:
        x = x[..., random.permutation(3)]
    return np.rint(255 * np.clip(x, 0, 1)).astype(np.uint8)


def _add_shapes(square: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Paste flat and shaded shapes, which have clean edges at every contrast."""
    side = square.shape[0]
    x = square.astype(np.float32)
    for _ in range(random.integers(1, 5)):
        mask = np.zeros((side, side), np.uint8)
        if random.random() < 0.4:
            centre = tuple(int(v) for v in random.integers(0, side, 2))
            axes = tuple(int(v) for v in random.integers(4, side // 2, 2))
            cv2.ellipse(mask, centre, axes, random.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
        elif random.random() < 0.6:
            corners = random.integers(-side // 4, side * 5 // 4, (random.integers(3, 6), 1, 2))
            cv2.fillPoly(mask, [corners.astype(np.int32)], 255, cv2.LINE_AA)
        else:
            ends = random.integers(0, side, (2, 2)).tolist()
            cv2.line(mask, ends[0], ends[1], 255, int(random.integers(1, 9)), cv2.LINE_AA)
        ramp = random.uniform(-60, 60, 2) @ np.mgrid[0:side, 0:side].reshape(2, -1) / side
        paint = random.uniform(0, 255, 3) + ramp.reshape(side, side, 1)
        alpha = cv2.GaussianBlur(mask, (0, 0), random.uniform(0.3, 1.5))[..., None] / 255.0
        x = x * (1 - alpha) + paint * alpha
    return np.rint(np.clip(x, 0, 255)).astype(np.uint8)


def _degrade(square: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Blur, add noise, or compress, like a phone's image."""
    if random.random() < 0.2:
        square = cv2.GaussianBlur(square, (0, 0), random.uniform(0.5, 2))
    if random.random() < 0.25:
        noise = random.normal(0, random.uniform(1, 8), square.shape)
        square = np.rint(np.clip(square + noise, 0, 255)).astype(np.uint8)
    if random.random() < 0.3:
        quality = int(random.integers(35, 95))
        _, data = cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, quality])
        square = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(square)
