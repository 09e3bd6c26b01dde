"""Encoding of RGB arrays."""

from io import BytesIO
from typing import Final, Literal

import cv2
from PIL import Image

from dctnet.arrays import Pixels
from dctnet.imaging.errors import TooLongForFormat

Format = Literal["png", "jpeg", "webp"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
}

# Limits of libpng, libjpeg and libwebp, in pixels.
_MAX_SIDE: Final[dict[Format, int]] = {"png": 1_000_000, "jpeg": 65_500, "webp": 16_383}

_QUALITY: Final = 95

_WEBP_METHOD: Final = 2
"""libwebp's method, 0 to 6. Methods from 3 on buffer the tokens of the whole image: up to 18 bytes
per pixel and 4 times the CPU time, for 0.4 dB. Methods 0 and 1 fail for strong noise."""


def encode(rgb: Pixels, format: Format) -> bytes:
    """Encode HxWx3 uint8 RGB without metadata; JPEG and WebP with quality 95.

    Takes up to 12 bytes per pixel beside the image, for any format and content.

    Raises:
        TooLongForFormat: A side is longer than the format allows.
    """
    require_encodable(rgb.shape[1], rgb.shape[0], format)
    return _encode_webp(rgb) if format == "webp" else _encode_png_or_jpeg(rgb, format)


def _encode_webp(rgb: Pixels) -> bytes:
    """Encode with Pillow: OpenCV has no parameter for libwebp's method."""
    encoded = BytesIO()
    Image.fromarray(rgb).save(encoded, "WEBP", quality=_QUALITY, method=_WEBP_METHOD)
    return encoded.getvalue()


def _encode_png_or_jpeg(rgb: Pixels, format: Format) -> bytes:
    """Encode with OpenCV, PNG with the default level, the fastest one."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    parameters = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if format == "jpeg" else []
    done, encoded = cv2.imencode(f".{format}", bgr, parameters)
    assert done, f"OpenCV cannot write {format}."
    del bgr
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
