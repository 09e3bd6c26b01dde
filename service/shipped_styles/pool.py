"""The pool of training crops: photos and what a style's filter draws of them.

A crop and its drawing depend on the crop's index alone. Drawing one takes 0.2 s, so that
happens once, and the patches of training are cut from the pool.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dctnet.arrays import Pixels
from shipped_styles import training_images
from shipped_styles.filters import FILTERS

SEED = 20
CROPS = 1200
SIDE = 288
"""Side of a crop in pixels."""
MARGIN = 20
"""Border of a crop, in pixels, that no patch is cut from: the drawing is inexact there."""
WHITE_SHARE = 0.15
"""Share of crops with white beyond a straight line, like the engine's padding and its heads."""


@dataclass(frozen=True)
class Pool:
    """Crops and their drawings, each Nx288x288x3 uint8 BGR."""

    crops: Pixels
    drawings: Pixels

    def batch(self, step: int, size: int, side: int) -> tuple[Pixels, Pixels]:
        """Return a step's patches and drawings, each size x side x side x 3 uint8 BGR."""
        random = np.random.default_rng([SEED, 1, step])
        pairs = [self._patch(random, side) for _ in range(size)]
        return np.stack([x for x, _ in pairs]), np.stack([y for _, y in pairs])

    def _patch(self, random: np.random.Generator, side: int) -> tuple[Pixels, Pixels]:
        index = random.integers(len(self.crops))
        top, left = random.integers(MARGIN, SIDE - MARGIN - side + 1, 2)
        pair = [
            images[index, top : top + side, left : left + side]
            for images in (self.crops, self.drawings)
        ]
        if random.random() < 0.5:
            pair = [x[:, ::-1] for x in pair]
        if random.random() < 0.2:
            pair = [x[::-1] for x in pair]
        if random.random() < 0.2:
            pair = [x.transpose(1, 0, 2) for x in pair]
        return pair[0], pair[1]


def read(style: str, work: Path, processes: int) -> Pool:
    """Return the pool of a style, which is made first if `work` does not have it."""
    paths = [work / f"{name}-{CROPS}.npy" for name in ("crops", style)]
    if not all(path.exists() for path in paths):
        work.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(processes) as workers:
            pairs = list(workers.map(pair, [style] * CROPS, range(CROPS), chunksize=20))
        for path, images in zip(paths, zip(*pairs, strict=True), strict=True):
            # Another style's training may have the crops open.
            unfinished = path.with_suffix(f".{style}.npy")
            np.save(unfinished, np.stack(images))
            unfinished.replace(path)
    crops, drawings = (np.load(path, mmap_mode="r") for path in paths)
    return Pool(crops, drawings)


def pair(style: str, index: int) -> tuple[Pixels, Pixels]:
    """Return a crop of the pool and its drawing."""
    cv2.setNumThreads(1)
    random = np.random.default_rng([SEED, 0, index])
    photo = training_images.patch(random, SIDE)
    drawing = FILTERS[style](photo)
    if random.random() < WHITE_SHARE:
        white = _half_plane(random)
        photo = np.where(white, np.uint8(255), photo)
        # The edge of the white gets no line.
        drawing = np.where(white, FILTERS[style](np.full_like(photo, 255)), drawing)
    return photo, drawing


def _half_plane(random: np.random.Generator) -> np.ndarray:
    """Return SIDExSIDEx1 booleans, True on one side of a line; mostly at the right or below."""
    angle = random.choice([0, np.pi / 2]) if random.random() < 0.7 else random.uniform(0, 2 * np.pi)
    normal = np.array([np.cos(angle), np.sin(angle)])
    through = random.uniform(60, SIDE - 60, 2)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return ((columns - through[0]) * normal[0] + (rows - through[1]) * normal[1] > 0)[..., None]
