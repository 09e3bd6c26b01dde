"""Encoding of RGB arrays."""

from collections.abc import Callable
from typing import Final, Literal

import cv2
from webp import WebPConfig, WebPError, WebPPicture

from dctnet.arrays import Pixels
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


ENCODE_BYTES_PER_PIXEL: Final[dict[Format, int]] = {"png": 10, "jpeg": 10, "webp": 12}
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
        pixels = with_alpha(rgb, alpha)
        if release:
            release()
        return _encode_webp(pixels) if format == "webp" else _encode_png_or_jpeg(pixels, format)
    if format == "webp":
        return _encode_webp(rgb, release)
    return _encode_png_or_jpeg(rgb if release else rgb.copy(), format)


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


def _encode_png_or_jpeg(pixels: Pixels, format: Format) -> bytes:
    """Encode with OpenCV, PNG with the default level, the fastest one; overwrites the image."""
    swap_colours(pixels)
    parameters = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if format == "jpeg" else []
    done, encoded = cv2.imencode(f".{format}", pixels, parameters)
    assert done, f"OpenCV cannot write {format}."
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
