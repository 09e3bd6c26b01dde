"""Golden pair: an image and its known cartoon, with which a replica tests itself.

A model folder may contain one. Both files are lossless.
"""

from dataclasses import dataclass
from io import BytesIO
from math import inf
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from dctnet.arrays import Pixels
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.folder import GOLDEN_INPUT, GOLDEN_OUTPUT
from dctnet.models.open_files import Files, Readable


@dataclass(frozen=True, slots=True)
class GoldenPair:
    """An image and its known cartoon, both HxWx3 uint8 RGB."""

    image: Pixels
    cartoon: Pixels

    @classmethod
    def read(cls, files: Files) -> Self | None:
        """Read the golden pair of a model folder; None if it has none; raise ModelError."""
        if GOLDEN_OUTPUT not in files:
            return None
        return cls(read_image(files[GOLDEN_INPUT]), read_image(files[GOLDEN_OUTPUT]))

    def write(self, folder: Path) -> None:
        """Write the golden pair into a folder; raise OSError."""
        for name, pixels in (GOLDEN_INPUT, self.image), (GOLDEN_OUTPUT, self.cartoon):
            Image.fromarray(pixels).save(folder / name, optimize=True)

    def difference(self, cartoon: Pixels) -> float:
        """Return the mean absolute difference from the known cartoon, in levels of 255."""
        if cartoon.shape != self.cartoon.shape:
            return inf
        return float(np.abs(cartoon.astype(np.int16) - self.cartoon).mean())


def read_image(file: Readable) -> Pixels:
    """Read a PNG, HxWx3 uint8 RGB; raise ModelError."""
    try:
        with Image.open(BytesIO(file.read_bytes()), formats=["PNG"]) as image:
            return np.asarray(image.convert("RGB"), np.uint8)
    except OSError as error:  # Pillow's UnidentifiedImageError is an OSError.
        raise ModelError(
            f"Cannot read the golden pair {file}: {os_error_reason(error)}."
        ) from error
