"""Contact sheets of the documentation: held-out photos in every shipped style."""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from dctnet.arrays import Pixels
from dctnet.config import Settings
from dctnet.engine import Engine
from dctnet.model_loading import find_models, load_engines
from dctnet.models.styles import SHIPPED_STYLES
from shipped_styles import training_images

PORTRAIT = "astronaut"
SIDES = (256, 512, 1024)
"""Shorter sides of the photos, in pixels."""
LARGEST_CELL = 512
"""Longest side of a photo on a sheet: of larger ones the middle is shown, at their own pixels."""
GAP = 8
"""White between images, in pixels."""
JPEG_QUALITY = 88


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="output folder")
    folder = parser.parse_args().folder
    styles = {"DCTNET_STYLES": ",".join(SHIPPED_STYLES)}
    settings = Settings.from_environment({**os.environ, **styles})
    engines, _ = load_engines(settings, find_models(settings))
    portrait = training_images.HELD_OUT[PORTRAIT].read()
    _write(folder / "styles.jpg", _row(engines.values(), training_images.resize(portrait, 512)))
    for side in SIDES:
        photos = (training_images.resize(p.read(), side) for p in training_images.HELD_OUT.values())
        rows = [_row(engines.values(), photo) for photo in photos]
        width = max(row.shape[1] for row in rows)
        padded = [
            np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255)
            for row in rows
        ]
        _write(folder / f"styles-{side}.jpg", np.vstack(padded))


def _row(engines: Iterable[Engine], photo: Pixels) -> Pixels:
    """Return a photo and its cartoons side by side, HxWx3 uint8 BGR."""
    cartoons = (engine.cartoonize(photo[:, :, ::-1]).image[:, :, ::-1] for engine in engines)
    cells = [_middle(image) for image in (photo, *cartoons)]
    gap = np.full_like(cells[0][:, :GAP], 255)
    return np.hstack([part for cell in cells for part in (cell, gap)][:-1])


def _middle(image: Pixels) -> Pixels:
    top, left = (max(0, (side - LARGEST_CELL) // 2) for side in image.shape[:2])
    # A portrait's face is above the middle.
    return image[top // 4 : top // 4 + LARGEST_CELL, left : left + LARGEST_CELL]


def _write(file: Path, image: Pixels) -> None:
    cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
