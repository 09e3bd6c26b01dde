"""Constants of the cost model: CPU seconds per pixel of each stage and format.

    .venv/bin/python -m benchmarks.cost

Prints CPU nanoseconds per pixel of each stage, and their ratio to the cost of one working pixel of
the native generator on one thread. `service/dctnet/cost.py` holds the results.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final, get_args

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageFile

from dctnet.arrays import Pixels
from dctnet.engine import MAX_WORKING_SIDE
from dctnet.engine.geometry import resize, working_size
from dctnet.imaging import Format, decode, encode
from dctnet.models.networks import file_name
from dctnet.runtimes import native
from tests.support.shipped import COMIC

PHOTO: Final = Path(__file__).parents[1] / "service/dctnet/conversion/photos/astronaut.jpg"

SIDES: Final = {"photo": 2048, "noise": 1024}
"""Height and width of the measured images, in pixels; noise is smaller, as it codes slowly."""

GENERATOR_SIDE: Final = 512
"""Height and width of the generator's input, in pixels."""

FILES: Final[dict[str, tuple[str, dict[str, object]]]] = {
    "JPEG, 4:2:0, quality 75": ("JPEG", {"quality": 75}),
    "JPEG, 4:4:4, quality 98": ("JPEG", {"quality": 98, "subsampling": 0}),
    "JPEG, progressive, 4:4:4, quality 98": (
        "JPEG",
        {"quality": 98, "subsampling": 0, "progressive": True},
    ),
    "PNG": ("PNG", {}),
    "PNG, transparent": ("PNG", {"mode": "RGBA"}),
    "WebP, quality 75": ("WEBP", {"quality": 75, "method": 2}),
    "WebP, quality 98": ("WEBP", {"quality": 98, "method": 2}),
    "WebP, lossless, transparent": ("WEBP", {"lossless": True, "method": 1, "mode": "RGBA"}),
    "AVIF, 4:2:0, quality 75": ("AVIF", {"quality": 75, "speed": 9}),
    "AVIF, 4:4:4, quality 98": ("AVIF", {"quality": 98, "subsampling": "4:4:4", "speed": 9}),
    "AVIF, 4:4:4, quality 98, transparent": (
        "AVIF",
        {"quality": 98, "subsampling": "4:4:4", "speed": 9, "mode": "RGBA"},
    ),
}
"""Measured file formats, with Pillow's format name and options."""


def main() -> None:
    """Measure and print all stages."""
    ImageFile.MAXBLOCK = 64 * 1024 * 1024  # Pillow encodes a progressive JPEG in one buffer.
    generator = native.generator(COMIC / file_name("background", "native"), threads=1)
    noise = images()["noise"][:GENERATOR_SIDE, :GENERATOR_SIDE].copy()
    generator(noise)
    unit = cpu_ns(lambda: generator(noise), noise)
    print(f"{'one working pixel of the generator':<54}{unit:>9.1f} ns")
    for name, nanoseconds in stages():
        print(f"{name:<54}{nanoseconds:>9.1f} ns{nanoseconds / unit:>9.4f}")


def stages() -> Iterator[tuple[str, float]]:
    """Yield each stage with its CPU nanoseconds per pixel."""
    for content, image in images().items():
        for file_format, (format, options) in FILES.items():
            data = encode_file(image, format, dict(options))
            yield (
                f"decode {content}: {file_format}",
                cpu_ns(partial(decode, data, image.size), image),
            )
        yield f"resize {content}", cpu_ns(partial(resize_round_trip, image), image)
        for response in get_args(Format):
            yield f"encode {content}: {response}", cpu_ns(partial(encode, image, response), image)


def images() -> dict[str, Pixels]:
    """Return the measured images, HxWx3 uint8 RGB, by content."""
    side = SIDES["photo"]
    with Image.open(PHOTO) as photo:
        enlarged = np.asarray(photo.convert("RGB").resize((side, side), Image.Resampling.LANCZOS))
    random = np.random.default_rng(0)
    # Camera noise, which enlarging removes, costs coders most of their time.
    grain = random.normal(0, 4, enlarged.shape)
    noise = random.integers(0, 256, (SIDES["noise"], SIDES["noise"], 3), np.uint8)
    return {"photo": (enlarged + grain).clip(0, 255).astype(np.uint8), "noise": noise}


def encode_file(
    pixels: Pixels, format: str, options: dict[str, object], *, profile: bool = True
) -> bytes:
    """Return an encoded image; ``profile`` adds one that has to be converted to sRGB."""
    image = Image.fromarray(pixels)
    if mode := options.pop("mode", None):
        image = image.convert(str(mode))
        image.putalpha(Image.fromarray(pixels[..., 0]))
    if profile:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        # The decoder skips profiles named sRGB.
        options["icc_profile"] = srgb.replace(
            "sRGB".encode("utf-16-be"), "RGBs".encode("utf-16-be")
        )
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def resize_round_trip(image: Pixels) -> Pixels:
    """Resize to the working size and back, as the engine does."""
    height, width, _ = image.shape
    working = resize(image, *working_size(height, width, MAX_WORKING_SIDE)).astype(np.float32)
    restored = cv2.resize(working, (width, height), interpolation=cv2.INTER_AREA)
    return np.rint(restored).clip(0, 255).astype(np.uint8)


def cpu_ns(run: Callable[[], object], image: Pixels) -> float:
    """Return the CPU nanoseconds per pixel over all threads: minimum of three runs."""
    height, width, _ = image.shape
    seconds: list[float] = []
    for _ in range(3):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return min(seconds) * 1e9 / float(height * width)


if __name__ == "__main__":
    main()
