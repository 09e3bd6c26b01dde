"""An RGB array to a picture's bytes."""

from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dctnet.imaging.errors import TooLongForFormat

Format = Literal["png", "jpeg", "webp"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
}

# What libpng, libjpeg and libwebp write at most, in pixels.
_LONGEST_SIDE: Final[dict[Format, int]] = {"png": 1_000_000, "jpeg": 65_500, "webp": 16_383}

# PNG is left at OpenCV's default, the fastest one.
_PARAMETERS: Final[dict[Format, list[int]]] = {
    "png": [],
    "jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    "webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
}


def encode(rgb: NDArray[np.uint8], format: Format) -> bytes:
    """Encode HxWx3 RGB of 0..255, without any metadata; JPEG and WebP with quality 95.

    Raises:
        TooLongForFormat: A side is longer than the format can hold.
    """
    require_encodable(rgb.shape[1], rgb.shape[0], format)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(f".{format}", bgr, _PARAMETERS[format])
    assert done, f"OpenCV cannot write {format}."
    return encoded.tobytes()


def require_encodable(width: int, height: int, format: Format) -> None:
    """Raise TooLongForFormat unless a picture of this size fits into the format.

    To be asked before the costly inference.
    """
    longest = _LONGEST_SIDE[format]
    if max(width, height) > longest:
        raise TooLongForFormat(
            f"A picture of {width} x {height} pixels is too long for {format}, "
            f"which holds at most {longest} on a side."
        )
