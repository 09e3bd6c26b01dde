"""Images as bytes, as a client sends them."""

import functools
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tests.support.formats import ALPHA, av1, avif, reference, without_timestamps


def encoded(source: Any, format: str = "PNG", **options: Any) -> bytes:
    """Return a Pillow image, or an array of one, in a format of Pillow's."""
    image = source if isinstance(source, Image.Image) else Image.fromarray(source)
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> Any:
    """Return an image as HxWx3 uint8 RGB."""
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def gradient(height: int, width: int) -> Any:
    """Return a smooth image, HxWx3 uint8 RGB, whose sides and channels all differ."""
    down = np.linspace(20, 220, height)[:, np.newaxis]
    across = np.linspace(240, 40, width)[np.newaxis]
    channels = np.broadcast_arrays(down, across, (down + across) / 2)
    return np.stack(channels, axis=-1).astype(np.uint8)


def layered_avif(image: Image.Image, **options: Any) -> bytes:
    """Return an AVIF of three layers and an alpha: as many as are decoded."""
    colour, grey = (encoded(image.convert(mode), "AVIF", **options) for mode in ("RGB", "L"))
    item, alpha = av1(colour, *image.size), av1(grey, *image.size, ALPHA)
    return avif([replace(item, contents=item.contents * 3), alpha], reference(b"auxl", 2, 1))


def without_adobe_marker(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4]) :]


@functools.cache
def format_variants() -> dict[str, bytes]:
    """Return one image of 24x40 (width x height) for each common variant of the formats.

    The bytes are reproducible.
    """
    rgb = Image.fromarray(gradient(40, 24))
    exif = Image.Exif()
    exif[0x0112] = 6  # Portrait orientation: rotate by 90 degrees.
    wide = np.linspace(0, 65535, 40 * 24).astype(np.uint16).reshape(40, 24)
    turned = rgb.transpose(Image.Transpose.ROTATE_90)
    transparent = rgb.convert("RGBA")
    transparent.putalpha(200)
    frames: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(180)]}
    return {
        "JPEG": encoded(rgb, "JPEG"),
        "progressive JPEG": encoded(rgb, "JPEG", progressive=True),
        "grey JPEG": encoded(rgb.convert("L"), "JPEG"),
        "CMYK JPEG": encoded(rgb.convert("CMYK"), "JPEG"),
        "turned JPEG": encoded(turned, "JPEG", exif=exif),
        "PNG": encoded(rgb),
        "grey PNG": encoded(rgb.convert("L")),
        "black and white PNG": encoded(rgb.convert("1")),
        "palette PNG": encoded(rgb.convert("P")),
        "palette PNG with a transparent colour": encoded(rgb.convert("P"), transparency=3),
        "transparent PNG": encoded(rgb.convert("RGBA")),
        "transparent grey PNG": encoded(rgb.convert("LA")),
        "16-bit PNG": encoded(wide),
        "16-bit PNG with a transparent shade": encoded(wide, transparency=0),
        "animated PNG": encoded(rgb, **frames),
        "WebP": encoded(rgb, "WEBP"),
        "lossless WebP": encoded(rgb, "WEBP", lossless=True),
        "transparent WebP": encoded(transparent, "WEBP"),
        "animated WebP": encoded(rgb, "WEBP", **frames),
        "AVIF": encoded(rgb, "AVIF"),
        "grey AVIF": encoded(rgb.convert("L"), "AVIF"),
        "transparent AVIF": encoded(transparent, "AVIF"),
        "turned AVIF": encoded(turned, "AVIF", exif=exif),
        # With more threads libaom codes the later frames differently.
        "animated AVIF": without_timestamps(encoded(rgb, "AVIF", max_threads=1, **frames)),
    }
