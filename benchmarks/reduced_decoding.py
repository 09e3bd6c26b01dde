"""Reduced decoding: how much a cartoon differs if its JPEG is decoded at a reduced scale.

    .venv/bin/python -m benchmarks.reduced_decoding [PHOTO]...

Encodes each photo as JPEG, and compares the cartoons of the whole and of the reduced image by the
shipped comic. Prints the mean difference in levels of 255 as a Markdown table, and fails if one is
above the limit. The working size is so small that the photo is reduced. Photos from a camera are
softer and noisier per pixel than these small ones, so there is one such variant of each.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from dctnet.config import Settings
from dctnet.conversion.trial_images import PHOTOS
from dctnet.engine import Engine
from dctnet.engine.geometry import reduction
from dctnet.imaging import decode
from dctnet.model_loading import find_models, load_engines

MAX_MEAN_DIFFERENCE: Final = 1.0
"""Limit of the mean difference of two cartoons, in levels of 255."""

RATIOS: Final = (4, 5, 6, 8)
"""Ratios of the photo's longest side to that of the working size."""

SUBSAMPLINGS: Final = {"4:2:0": 2, "4:4:4": 0}

QUALITY: Final = 90

_MULTIPLE: Final = 8
_ENLARGEMENT: Final = 3
_NOISE: Final = 3.0
"""Standard deviation of the noise of a camera, in levels of 255."""


class Difference(NamedTuple):
    """Differences between the cartoons of a whole and a reduced image."""

    photo: str
    subsampling: str
    ratio: int
    factor: int
    faces: int
    mean: float
    """In levels of 255, as the next."""
    percentile_99: float


def variants(path: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield a photo, and one as of a camera, each with its name."""
    with Image.open(path) as file:
        photo = file.convert("RGB")
    photo = photo.crop((0, 0, photo.width & -_MULTIPLE, photo.height & -_MULTIPLE))
    yield path.stem, photo
    enlarged = photo.resize(
        (photo.width * _ENLARGEMENT, photo.height * _ENLARGEMENT), Image.Resampling.BICUBIC
    )
    noise = np.random.default_rng(0).normal(0, _NOISE, (enlarged.height, enlarged.width, 3))
    noisy = np.clip(np.asarray(enlarged) + noise, 0, 255).astype(np.uint8)
    yield f"{path.stem}, enlarged", Image.fromarray(noisy)


def engine(max_working_side: int) -> Engine:
    """Return an engine of the shipped comic."""
    settings = replace(
        Settings.from_environment({"DCTNET_STYLES": "comic"}), max_working_side=max_working_side
    )
    engines, _ = load_engines(settings, find_models(settings))
    return engines["comic"]


def differences(path: Path) -> Iterator[Difference]:
    """Yield the differences of a photo, by subsampling and ratio."""
    for name, photo in variants(path):
        for ratio in RATIOS:
            side = max(photo.size) // ratio
            cartoonist = engine(side)
            factor = reduction(photo.height, photo.width, side, side, strength=1.0)
            for subsampling, option in SUBSAMPLINGS.items():
                buffer = BytesIO()
                photo.save(buffer, "JPEG", quality=QUALITY, subsampling=option)
                whole = cartoonist.cartoonize(decode(buffer.getvalue(), 10**9), 1.0, side)
                reduced = cartoonist.cartoonize(
                    decode(buffer.getvalue(), 10**9, reduction=factor),
                    1.0,
                    side,
                    (photo.height, photo.width),
                )
                error = np.abs(whole.image.astype(np.int16) - reduced.image)
                yield Difference(
                    name,
                    subsampling,
                    ratio,
                    factor,
                    whole.faces,
                    float(error.mean()),
                    float(np.percentile(error, 99)),
                )


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "photos",
        nargs="*",
        type=Path,
        default=sorted(PHOTOS.glob("*.jpg")),
        metavar="PHOTO",
        help="image files; default: those of `dctnet prepare`",
    )
    print("| photo | subsampling | ratio | reduced by | faces | mean | 99th percentile |")
    print("|---" * len(Difference._fields) + "|")
    means = []
    for path in parser.parse_args().photos:
        for found in differences(path):
            means.append(found.mean)
            *fields, mean, percentile = found
            print("|", *(f"{field} |" for field in fields), f"{mean:.2f} | {percentile:.0f} |")
    print(f"\nMean of all: {np.mean(means):.2f}, largest: {max(means):.2f} levels of 255.")
    return 0 if max(means) <= MAX_MEAN_DIFFERENCE else 1


if __name__ == "__main__":
    sys.exit(main())
