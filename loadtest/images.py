"""Images to send: generated from a seed, or read from a folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from loadtest.errors import LoadError

Pixels = NDArray[np.uint8]
Format = Literal["jpeg", "png"]

NOISE_STDDEV = 3.0
"""Standard deviation of the noise in generated images, in levels of 255: that of a good camera, so
that codecs work as hard as for a photo."""

_QUALITY: dict[Format, list[int]] = {"jpeg": [cv2.IMWRITE_JPEG_QUALITY, 92], "png": []}
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Media types by Pillow's format names."""


@dataclass(frozen=True)
class SourceImage:
    """An encoded image to send."""

    name: str
    """Unique name within a plan."""
    data: bytes
    media_type: str
    width: int
    height: int
    """Width and height in pixels after EXIF orientation."""

    def pixels(self) -> Pixels:
        """Decode to HxWx3 uint8 RGB, with EXIF orientation applied."""
        with Image.open(BytesIO(self.data)) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def generate_images(
    count: int, width: int, height: int, *, format: Format = "jpeg", seed: int = 0
) -> list[SourceImage]:
    """Generate distinct images of gradients, ellipses and noise, reproducible by seed."""
    return [
        SourceImage(
            f"{seed}-{number}",
            _encode(_render(np.random.default_rng([seed, number]), width, height), format),
            f"image/{format}",
            width,
            height,
        )
        for number in range(count)
    ]


def read_folder(folder: Path) -> list[SourceImage]:
    """Read all JPEG, PNG and WebP files of a folder, sorted by name.

    Raises:
        LoadError: The folder cannot be read, or has no image.
    """
    try:
        images = list(_read(sorted(path for path in folder.iterdir() if path.is_file())))
    except OSError as error:
        raise LoadError(f"{error.filename or folder}: {error.strerror or error}.") from None
    if not images:
        raise LoadError(f"The folder {folder} has no JPEG, PNG or WebP.")
    return images


def _read(paths: list[Path]) -> Iterator[SourceImage]:
    for path in paths:
        data = path.read_bytes()
        try:
            with Image.open(BytesIO(data)) as image:
                media_type = MEDIA_TYPES.get(image.format or "")
                width, height = ImageOps.exif_transpose(image).size
        except OSError:  # Not an image, such as a licence file.
            continue
        if media_type:
            yield SourceImage(path.name, data, media_type, width, height)


def _render(random: np.random.Generator, width: int, height: int) -> Pixels:
    colours = random.integers(0, 256, (4, 4, 3)).astype(np.float32)
    canvas: Any = cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        centre = (int(random.integers(width)), int(random.integers(height)))
        axes = (random.uniform(0.02, 0.25, 2) * (width, height)).astype(int) + 1
        angle = float(random.uniform(0, 180))
        colour = random.uniform(0, 255, 3).tolist()
        cv2.ellipse(canvas, centre, axes.tolist(), angle, 0, 360, colour, cv2.FILLED, cv2.LINE_8)
    canvas = cv2.GaussianBlur(canvas, (0, 0), 0.8)
    canvas += NOISE_STDDEV * random.standard_normal(canvas.shape, dtype=np.float32)
    return np.asarray(np.clip(canvas, 0, 255), np.uint8)


def _encode(image: Pixels, format: Format) -> bytes:
    ok, data = cv2.imencode(f".{format}", image, _QUALITY[format])
    assert ok, f"OpenCV cannot write {format}."
    return data.tobytes()
