"""Before/after images of the documentation: held-out photos beside their cartoons."""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np

from dctnet.config import Settings
from dctnet.model_loading import load_engine
from demo_model import training_images

HEIGHT = 512
"""Height of an image, in pixels."""
JPEG_QUALITY = 88


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="output folder")
    folder = parser.parse_args().folder
    engine, _ = load_engine(Settings.from_environment({**os.environ, "DCTNET_MODEL": "demo"}))
    for name, image in training_images.HELD_OUT.items():
        photo = training_images.resize(image.read(), HEIGHT)
        cartoon = engine.cartoonize(photo[:, :, ::-1]).image[:, :, ::-1]
        pair = np.hstack([photo, np.full_like(photo[:, :8], 255), cartoon])
        file = folder / f"{name}-before-after.jpg"
        cv2.imwrite(str(file), pair, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
