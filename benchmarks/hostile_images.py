"""Hostile images: costly ICC profiles, 40 MP of noise, and files with large decoder state."""

from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

from dctnet.units import MIB
from loadtest.images import SourceImage
from tests.support import formats as f
from tests.support import profile_samples, vp8l
from tests.support.encoded_images import encoded

LARGE = (8000, 5000)
"""Width and height in pixels: 40 MP."""

THIN = (65_500, 610)
"""Width and height in pixels: 40 MP, on the longest side that a JPEG can have."""

MAX_BYTES = 24 * MIB
"""The default of `DCTNET_MAX_BODY_BYTES`."""

_GRAIN = 6
"""Side of the squares of noise, in pixels."""

_PROFILE_SIDE = 64
_FORMATS = {
    "RGB": ("PNG", "JPEG", "WEBP", "AVIF"),
    "L": ("PNG", "JPEG", "AVIF"),
    "CMYK": ("JPEG",),
}
"""Pillow's formats that can carry an ICC profile, by image mode."""

_LAYER_SIDE = 2048


def with_costly_profiles() -> list[SourceImage]:
    """Return small images with all costly ICC profiles, formats and modes."""
    side = _PROFILE_SIDE
    return [
        SourceImage(f"{mode} {format}, {name}", data, f"image/{format.lower()}", side, side)
        for mode, formats in _FORMATS.items()
        for name, profile in profile_samples.costly_profiles(mode).items()
        for format in formats
        for data in [encoded(Image.new(mode, (side, side)), format, icc_profile=profile)]
    ]


def thin_jpeg() -> SourceImage:
    """Return 40 MP of noise, 610 pixels high."""
    return _noise("thin JPEG", *THIN)


def large_jpeg() -> SourceImage:
    """Return 40 MP of noise, which is most costly with a WebP response."""
    return _noise("large JPEG", *LARGE)


def _noise(name: str, width: int, height: int) -> SourceImage:
    """Return a JPEG of random squares."""
    grains = (height // _GRAIN, width // _GRAIN, 3)
    colours = np.random.default_rng(0).integers(0, 256, grains, np.uint8)
    pixels = cv2.resize(colours, (width, height), interpolation=cv2.INTER_NEAREST)
    data = encoded(pixels, "JPEG", quality=25)
    assert len(data) <= MAX_BYTES, f"{name}: {len(data)} bytes"
    return SourceImage(name, data, "image/jpeg", width, height)


def with_large_decoders() -> list[SourceImage]:
    """Return files whose decoders need much memory: at and above the limits."""
    return [
        SourceImage(name, data, f"image/{name.split()[0].lower()}", 1, 1)
        for name, data in _large_decoders()
    ]


def _large_decoders() -> Iterator[tuple[str, bytes]]:
    yield "WebP with the largest entropy image", vp8l.lossless(200, 2, 2500)
    yield "WebP with too large an entropy image", vp8l.lossless(1024, 2, 65_536)
    layer = encoded(Image.radial_gradient("L").resize((_LAYER_SIDE,) * 2), "AVIF", speed=10)
    properties = f.ispe(_LAYER_SIDE, _LAYER_SIDE), f.box(b"av1C", f.contents(layer, b"av1C"))
    for layers in 4, 5:
        item = f.Item(b"av01", f.contents(layer, b"mdat") * layers, properties)
        yield f"AVIF of {layers} layers", f.avif([item])
