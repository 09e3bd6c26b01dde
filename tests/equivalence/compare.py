"""Comparison of the engine with the real upstream pipeline on a model folder.

    .venv/bin/python -m tests.equivalence.compare MODEL_FOLDER [IMAGE...]

Without images it uses those of the tests. Exits with 1 if an image differs by more than TOLERANCE.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from dctnet.engine import Engine, read_alpha
from dctnet.imaging import decode
from dctnet.models.folder import open_folder
from dctnet.runtimes import selection
from tests.support.images import SAMPLES, RgbImage
from tests.support.upstream import Upstream

TOLERANCE = 1.0
"""Largest allowed difference of a value, of 255."""
MAX_PIXELS = 64_000_000
THREADS = 2


def load_engine(folder: Path) -> Engine:
    """Load the engine for a model folder as the service does."""
    return Engine(selection.load(open_folder(folder), THREADS), read_alpha(folder / "alpha.jpg"))


def expected(upstream: Upstream, image: RgbImage) -> np.ndarray:
    """Return upstream's cartoon in the image's size, HxWx3 RGB, uint8 or float32 in 0..255.

    Upstream neither clips the values, nor resizes if there is no face.
    """
    result = np.clip(upstream.cartoonize(image), 0, 255)
    if result.shape == image.shape:
        return result
    height, width = image.shape[:2]
    return cv2.resize(result, (width, height), interpolation=cv2.INTER_AREA)


def difference(expected: np.ndarray, generated: np.ndarray) -> float:
    """Return the largest difference of two images' values, of 255."""
    return float(np.abs(expected.astype(np.float64) - generated).max())


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="a model folder in the upstream format")
    parser.add_argument("images", type=Path, nargs="*")
    arguments = parser.parse_args()
    engine, upstream = load_engine(arguments.folder), Upstream(arguments.folder)
    inputs = {sample.name: sample.image() for sample in SAMPLES}
    if arguments.images:
        inputs = {path.name: decode(path.read_bytes(), MAX_PIXELS) for path in arguments.images}
    worst = 0.0
    for name, image in inputs.items():
        cartoon = engine.cartoonize(image)
        found = difference(expected(upstream, image), cartoon.image)
        height, width = image.shape[:2]
        print(f"{found:6.2f} of 255  {width}×{height}, faces: {cartoon.faces}  {name}", flush=True)
        worst = max(worst, found)
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
