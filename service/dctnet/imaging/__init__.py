"""Untrusted bytes to an RGB array and back, within limits."""

from dctnet.imaging.container import InputFormat
from dctnet.imaging.decode import ImageHeader, decode, inspect
from dctnet.imaging.encode import MEDIA_TYPES, Format, encode, require_encodable
from dctnet.imaging.errors import (
    BrokenPicture,
    PictureError,
    TooLongForFormat,
    TooManyPixels,
    UnsupportedFormat,
)

__all__ = [
    "MEDIA_TYPES",
    "BrokenPicture",
    "Format",
    "ImageHeader",
    "InputFormat",
    "PictureError",
    "TooLongForFormat",
    "TooManyPixels",
    "UnsupportedFormat",
    "decode",
    "encode",
    "inspect",
    "require_encodable",
]
