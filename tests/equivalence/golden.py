"""Golden images: cartoons of the real upstream pipeline with the shipped comic.

    .venv/bin/python -m tests.equivalence.golden

Writes them as lossless WebP, with golden.json, which records their sources and tools. They detect
changes of upstream packages, CPUs or runtimes, which would change both sides of a live comparison.
"""

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from dctnet.models.manifest import digest
from tests.equivalence.compare import expected
from tests.support.images import SAMPLES, RgbImage
from tests.support.shipped import COMIC
from tests.support.upstream import Upstream

FOLDER = Path(__file__).parent / "golden"
RECORD = FOLDER / "golden.json"
NAMES = ("face alone", "two faces", "one side a multiple of 16", "coffee")
MADE_BY = ("modelscope", "tensorflow", "opencv-python-headless", "numpy", "scikit-image")


def sha256(image: RgbImage) -> str:
    """Return the checksum of an image's values, HxWx3 uint8 RGB in rows."""
    return hashlib.sha256(np.ascontiguousarray(image)).hexdigest()


def main() -> None:
    """Run the command line."""
    from shipped_styles.upstream import write_upstream_format  # TensorFlow costs seconds.

    with TemporaryDirectory() as folder:
        write_upstream_format(Path(folder))
        upstream = Upstream(Path(folder))
    images = {}
    for sample in SAMPLES:
        if sample.name not in NAMES:
            continue
        image = sample.image()
        generated = np.rint(expected(upstream, image)).astype(np.uint8)
        file = f"{sample.name.replace(' ', '-')}.webp"
        Image.fromarray(generated).save(FOLDER / file, lossless=True, quality=100, method=6)
        images[sample.name] = {"file": file, "faces": sample.faces, "input": sha256(image)}
    record = {
        "made_by": "tests/equivalence/golden.py, with the pipeline image-portrait-stylization",
        "packages": {package: version(package) for package in MADE_BY},
        "model": digest((COMIC / "manifest.json").read_bytes()),
        "images": images,
    }
    RECORD.write_text(json.dumps(record, indent=2) + "\n")
    sys.stdout.write(f"{len(images)} images in {FOLDER}\n")


if __name__ == "__main__":
    main()
