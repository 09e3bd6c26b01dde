"""Encoding of RGB arrays."""

from collections.abc import Callable, Iterator
from typing import Final, Literal

import cv2
import numpy as np
from isal import isal_zlib
from webp import WebPConfig, WebPError, WebPPicture

from dctnet.arrays import Pixels
from dctnet.imaging import png
from dctnet.imaging.errors import TooLongForFormat
from dctnet.imaging.rgb import swap_colours
from dctnet.imaging.transparency import with_alpha

Format = Literal["png", "jpeg", "webp"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
}

TRANSPARENT_FORMATS: Final[tuple[Format, ...]] = ("png", "webp")

# Limits of libpng, libjpeg and libwebp, in pixels.
_MAX_SIDE: Final[dict[Format, int]] = {"png": 1_000_000, "jpeg": 65_500, "webp": 16_383}

_QUALITY: Final = 95

_WEBP_METHOD: Final = 2
"""libwebp's method, 0 to 6. Methods from 3 on buffer the tokens of the whole image: up to 18 bytes
per pixel and 4 times the CPU time, for 0.4 dB. Methods 0 and 1 fail for strong noise."""


_PNG_LEVEL: Final = 1
"""ISA-L's level, 0 to 3: the fastest one whose files are not larger than those of zlib."""

_UP: Final = 2
"""PNG's filter that stores a row's difference from the row above."""

_STRIP_BYTES: Final = 96 * 1024
"""Bytes of rows that are filtered and compressed at once: they stay in the CPU's cache, and below
the size from which the C library maps each allocation separately."""

ENCODE_BYTES_PER_PIXEL: Final[dict[Format, int]] = {"png": 7, "jpeg": 10, "webp": 12}
"""Upper bound of encoding memory in bytes per pixel, by format, beside the image. Noise takes most.
That of a WebP does not need the image itself any more."""


def encode(
    rgb: Pixels,
    format: Format,
    release: Callable[[], object] | None = None,
    alpha: Pixels | None = None,
) -> bytes:
    """Encode HxWx3 uint8 RGB without metadata; JPEG and WebP with quality 95.

    ``alpha`` is that of the image, HxW uint8 of any size, for a format of ``TRANSPARENT_FORMATS``.
    With ``release`` the image is overwritten, and ``release`` called once it is not needed any
    more. Takes up to ``ENCODE_BYTES_PER_PIXEL`` beside it, for any content, and
    ``KEPT_ALPHA_FACTOR`` times that with alpha.

    Raises:
        TooLongForFormat: A side is longer than the format allows.
    """
    require_encodable(rgb.shape[1], rgb.shape[0], format)
    if alpha is not None:
        rgb = with_alpha(rgb, alpha)
        if release:
            release()
            release = None
    if format == "webp":
        return _encode_webp(rgb, release)
    if format == "png":
        return _encode_png(rgb, release)
    return _encode_jpeg(rgb if release else rgb.copy())


def _encode_png(pixels: Pixels, release: Callable[[], object] | None = None) -> bytes:
    """Encode with ISA-L, in a quarter of zlib's time; see docs/codec-benchmark.md."""
    height, width, channels = pixels.shape
    encoded = bytearray(png.head(width, height, transparent=channels == len("RGBA")))
    deflate = isal_zlib.compressobj(_PNG_LEVEL)
    for strip in _filtered_strips(pixels.reshape(height, width * channels)):
        # Each strip has a chunk: one of all would need another copy.
        encoded += png.idat(deflate.compress(strip))
    encoded += png.idat(deflate.flush()) + png.END
    if release:
        release()
    return bytes(encoded)


def _filtered_strips(rows: Pixels) -> Iterator[Pixels]:
    """Yield strips of rows of bytes, each row with its filter; a strip is valid until the next."""
    height, length = rows.shape
    buffer: Pixels = np.empty((max(1, _STRIP_BYTES // (1 + length)), 1 + length), np.uint8)
    buffer[:, 0] = _UP
    above = np.zeros((1, length), np.uint8)
    for top in range(0, height, len(buffer)):
        strip = rows[top : top + len(buffer)]
        filtered = buffer[: len(strip)]
        np.subtract(strip[:1], above, out=filtered[:1, 1:])
        np.subtract(strip[1:], strip[:-1], out=filtered[1:, 1:])
        above = strip[-1:]
        yield filtered


def _encode_webp(pixels: Pixels, release: Callable[[], object] | None = None) -> bytes:
    """Encode with libwebp: OpenCV has no parameter for its method, and Pillow copies the image."""
    try:
        libwebp_image = WebPPicture.from_numpy(pixels)  # A copy of 4 bytes per pixel.
    except WebPError as error:
        raise MemoryError("There is not enough memory to encode the image.") from error
    if release:
        release()
    config = WebPConfig.new(quality=_QUALITY, method=_WEBP_METHOD)
    return bytes(libwebp_image.encode(config).buffer())


def _encode_jpeg(pixels: Pixels) -> bytes:
    """Encode with OpenCV; overwrites the image."""
    swap_colours(pixels)
    done, encoded = cv2.imencode(".jpeg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done, "OpenCV cannot write JPEG."
    return encoded.tobytes()


def require_encodable(width: int, height: int, format: Format) -> None:
    """Raise TooLongForFormat unless the format can hold an image of this size.

    Call it before the inference.
    """
    max_side = _MAX_SIDE[format]
    if max(width, height) > max_side:
        raise TooLongForFormat(
            f"An image of {width} x {height} pixels is too long for {format}, "
            f"which holds at most {max_side} on a side."
        )
