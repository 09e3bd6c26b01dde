"""Memory per slot: the peak of one large image, by file format, content and response format.

    .venv/bin/python -m benchmarks.slot_memory [--runtime RUNTIME] [--pixels PIXELS]
        [--strength STRENGTH] [--format FORMAT]...

A server with one slot and the shipped comic cartoonizes each image. The script prints the replica's
peak memory (PSS, with its codec process) above that after an image of the largest working size, in
MiB, as a Markdown table: the generators keep the memory of that image.
"""

import argparse
import http.client
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
from PIL import Image

from benchmarks.host import describe_host
from dctnet.codecs.process import certain_pixels
from dctnet.config import Settings
from dctnet.conversion.trial_images import PHOTOS
from dctnet.imaging import MEDIA_TYPES, InputFormat
from dctnet.memory import slot_bytes
from dctnet.shared_limits import MAX_WORKING_SIDE
from dctnet.units import MIB
from tests.support.process import family_memory, only_child, serving

Sides = tuple[int, int]
"""Width and height in pixels."""

WIDTH = 8000
"""Width of the images, in pixels."""

LARGEST_WORKING_SIDES = (MAX_WORKING_SIDE, 720)
"""Width and height of an image that needs the most memory of the generators."""

TIMEOUT_S = 600

SAMPLE_INTERVAL_S = 0.02
"""Time between two samples of the memory: reading it more often slows down the replica."""

_GRAIN = 6
"""Side of the squares of noise, in pixels; keeps files below 10 MiB."""


def photo(mode: str, sides: Sides) -> Image.Image:
    """Return an enlarged portrait: smooth, with one face."""
    with Image.open(PHOTOS / "astronaut.jpg") as image:
        enlarged = image.convert("RGB").resize(sides, Image.Resampling.BICUBIC)
    return _in_mode(enlarged, mode)


def noise(mode: str, sides: Sides) -> Image.Image:
    """Return squares of random colours."""
    width, height = sides
    grains = (-(-height // _GRAIN), -(-width // _GRAIN), 3)
    colours = np.random.default_rng(0).integers(0, 256, grains, np.uint8)
    enlarged = cv2.resize(colours, sides, interpolation=cv2.INTER_NEAREST)
    return _in_mode(Image.fromarray(enlarged), mode)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        return image
    return image.convert(mode)


CONTENTS: dict[str, Callable[[str, Sides], Image.Image]] = {"photo": photo, "noise": noise}

FILE_FORMATS: dict[str, tuple[str, InputFormat, dict[str, Any]]] = {
    "JPEG": ("RGB", "JPEG", {"quality": 50}),
    "JPEG, progressive": ("RGB", "JPEG", {"quality": 50, "progressive": True, "subsampling": 0}),
    "JPEG, CMYK": ("CMYK", "JPEG", {"quality": 30}),
    "PNG": ("RGB", "PNG", {"compress_level": 1}),
    "PNG, alpha": ("RGBA", "PNG", {"compress_level": 1}),
    "PNG, 16-bit grey": ("I;16", "PNG", {"compress_level": 1}),
    "WebP": ("RGB", "WEBP", {"quality": 30, "method": 2}),
    "WebP, alpha": ("RGBA", "WEBP", {"quality": 30, "method": 2}),
    "WebP, lossless": ("RGB", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
    "WebP, lossless, alpha": ("RGBA", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
    "AVIF": ("RGB", "AVIF", {"quality": 20, "speed": 10, "subsampling": "4:4:4"}),
    "AVIF, alpha": ("RGBA", "AVIF", {"quality": 20, "speed": 10, "subsampling": "4:4:4"}),
}
"""Pillow's mode, format and options, by name."""


def largest_sides(name: str, max_pixels: int) -> Sides:
    """Return the sides of the largest image that fits into a slot in any case."""
    _, format, _ = FILE_FORMATS[name]
    return WIDTH, certain_pixels(format, max_pixels) // WIDTH


def encode_file(name: str, content: str, sides: Sides) -> bytes:
    """Return an encoded image."""
    mode, format, options = FILE_FORMATS[name]
    buffer = BytesIO()
    CONTENTS[content](mode, sides).save(buffer, format, **options)
    return buffer.getvalue()


def cartoon(url: str, image: bytes, format: str, strength: float = 1.0) -> bytes:
    """Return the cartoon of an image; raise ValueError on another status."""
    address = urlsplit(url).netloc
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request("POST", f"/v1/cartoons?format={format}&strength={strength}", image)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError(f"{response.status}: {body[:300]!r}")
    return body


def fill_scratch(url: str) -> None:
    """Cartoonize an image of the largest working size: the generators keep its memory."""
    cartoon(url, encode_file("JPEG", "photo", LARGEST_WORKING_SIDES), "jpeg")


def measure_peaks(url: str, worker: int, image: bytes, strength: float) -> Iterator[int]:
    """Yield the peak memory (PSS) of worker and codec processes in bytes, per response format.

    A process that ends while it is read counts in the next sample.
    """
    for format in MEDIA_TYPES:
        with ThreadPoolExecutor(1) as pool:
            response = pool.submit(cartoon, url, image, format, strength)
            peak = 0
            while not response.done():
                with suppress(FileNotFoundError, ProcessLookupError):
                    peak = max(peak, family_memory(worker))
                time.sleep(SAMPLE_INTERVAL_S)
            response.result()
        yield peak


def bound_usage(settings: Settings, image: bytes, peaks: Sequence[int]) -> float:
    """Return the highest peak relative to the bound of a slot with this body."""
    return max(peaks) / slot_bytes(replace(settings, max_body_bytes=len(image)))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--runtime",
        default="native",
        choices=("native", "onnxruntime"),
        help="runtime; default: native",
    )
    parser.add_argument(
        "--pixels",
        type=int,
        default=Settings.from_environment({}).max_pixels,
        help="size of the images in pixels, but at most what fits into a slot in any case;"
        " default: that of DCTNET_MAX_PIXELS",
    )
    parser.add_argument(
        "--strength",
        type=float,
        default=1.0,
        help="strength of the cartoons; below 1 the whole image is needed; default: 1",
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=FILE_FORMATS,
        help="a file format; default: all",
    )
    arguments = parser.parse_args()
    environ = {
        "DCTNET_STYLES": "comic",
        "DCTNET_SLOTS": "1",
        "DCTNET_RUNTIME": arguments.runtime,
        "DCTNET_REQUEST_TIMEOUT": f"{TIMEOUT_S}",
        "DCTNET_WATCHDOG_TIMEOUT": f"{TIMEOUT_S / 2}",
        # Some noise files exceed the default.
        "DCTNET_MAX_BODY_BYTES": f"{64 * MIB}",
    }
    settings = Settings.from_environment(environ)
    print(f"{time.strftime('%Y-%m-%d')}, {describe_host()}, runtime {arguments.runtime}.")
    most, share = 0, 0.0
    with serving(**environ) as server:
        worker = only_child(server.process.pid)
        print(f"Ready: {family_memory(worker) // MIB} MiB.")
        fill_scratch(server.url)
        kept = family_memory(worker)
        print(f"After an image of the largest working size: {kept // MIB} MiB.\n")
        print("| image | content | file, MiB |", *(f"{name}, MiB |" for name in MEDIA_TYPES))
        print("|---" * (3 + len(MEDIA_TYPES)) + "|")
        for name in arguments.format or FILE_FORMATS:
            for content in CONTENTS:
                width, height = largest_sides(name, settings.max_pixels)
                image = encode_file(name, content, (width, min(height, arguments.pixels // width)))
                measured = measure_peaks(server.url, worker, image, arguments.strength)
                peaks = [peak - kept for peak in measured]
                most = max(most, *peaks)
                share = max(share, bound_usage(settings, image, peaks))
                cells = (name, content, f"{len(image) / MIB:.1f}", *(p // MIB for p in peaks))
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print(f"\nMaximum: {most // MIB} MiB, {100 * share:.0f} % of the bound.")
    return 0 if share <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
