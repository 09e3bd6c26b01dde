"""Scenes with a face at a known position: scikit-image's astronaut on a collage without faces.

Each variant is one affine map, which also gives the true landmarks. The collage consists of images
in the public domain or under CC0.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from dctnet.arrays import Pixels

Points = NDArray[np.float64]

HEAD_MIDDLE, HEAD_RADII = (224, 112), (82, 104)
"""Ellipse of the astronaut's head in her image, in pixels."""

RIM = 6.0
"""Standard deviation of the soft edge, in pixels of her image."""

FACE_MIDDLE, FACE_SIDE = (225.0, 132.0), 92.0
"""Center and side of her face, from brows to chin, in pixels of her image."""

BACKGROUNDS = ("brick", "chelsea", "coffee", "grass", "gravel", "hubble_deep_field", "rocket")
PATCHES = 40

MIRRORED = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
        *(64, 63, 62, 61, 60, 67, 66, 65),
    ]
)
"""For each iBUG landmark, its counterpart in the mirrored image."""


@dataclass(frozen=True)
class Placement:
    """Position, size and variant of the astronaut's head in a scene."""

    side: float
    """Side of the face, in pixels of the scene."""
    middle: tuple[float, float]
    """Center of the face, x and y in pixels of the scene."""
    roll: float = 0.0
    """Rotation in degrees, clockwise."""
    mirrored: bool = False
    brightness: float = 1.0
    """Factor of all levels."""

    def matrix(self) -> NDArray[np.float64]:
        """Return the 2x3 matrix from her image to the scene."""
        turn = np.radians(self.roll)
        axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        axes = axes * (self.side / FACE_SIDE) @ np.diag([-1.0 if self.mirrored else 1.0, 1.0])
        return np.column_stack([axes, self.middle - axes @ FACE_MIDDLE])

    def move(self, landmarks: Points) -> Points:
        """Map landmarks of her image to the scene, 68x2 as x, y, in iBUG's order."""
        moved: Points = landmarks @ self.matrix()[:, :2].T + self.matrix()[:, 2]
        return moved[MIRRORED] if self.mirrored else moved


def collage(height: int, width: int, seed: int) -> Pixels:
    """Return a collage of images without people, HxWx3 uint8 RGB."""
    random = np.random.default_rng(seed)
    images = [_rgb(name) for name in BACKGROUNDS]
    canvas = cv2.resize(images[seed % len(images)], (width, height))
    for _ in range(PATCHES):
        image = images[random.integers(len(images))]
        size = random.integers(min(height, width) // 10, min(height, width) // 2, 2)
        size = np.minimum(size, np.minimum(image.shape[:2], (height, width)))
        top, left = random.integers(0, np.array(image.shape[:2]) - size + 1)
        y, x = random.integers(0, np.array([height, width]) - size + 1)
        patch = image[top : top + size[0], left : left + size[1]]
        canvas[y : y + size[0], x : x + size[1]] = patch
    return canvas


def paste(canvas: Pixels, placement: Placement) -> Pixels:
    """Return a copy of an HxWx3 uint8 RGB image with the astronaut's head in it."""
    head = skimage.data.astronaut()
    mask = np.zeros(head.shape[:2], np.float32)
    cv2.ellipse(mask, HEAD_MIDDLE, HEAD_RADII, 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), RIM)
    # A smaller face is averaged first, because warping reads only four pixels.
    scale = min(1.0, placement.side / FACE_SIDE)
    matrix = placement.matrix()
    matrix[:, 2] += matrix[:, :2] @ np.full(2, 0.5 / scale - 0.5)
    matrix[:, :2] /= scale
    size = canvas.shape[1::-1]
    small = [
        cv2.resize(layer, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for layer in (head.astype(np.float32) * placement.brightness, mask)
    ]
    warped, weight = (cv2.warpAffine(layer, matrix, size) for layer in small)
    weight = weight[..., np.newaxis]
    return np.rint(weight * warped + (1 - weight) * canvas).clip(0, 255).astype(np.uint8)


def _rgb(name: str) -> Pixels:
    image = np.asarray(getattr(skimage.data, name)())
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
