"""Decoding of untrusted images within limits, and encoding."""

from dctnet.imaging.container import InputFormat
from dctnet.imaging.decode import (
    DECODE_BYTES_PER_BODY_BYTE,
    DECODE_BYTES_PER_PIXEL,
    DECODE_FIXED_BYTES,
    ImageHeader,
    decode,
    inspect,
)
from dctnet.imaging.encode import (
    ENCODE_BYTES_PER_PIXEL,
    MEDIA_TYPES,
    TRANSPARENT_FORMATS,
    Format,
    encode,
    require_encodable,
)
from dctnet.imaging.errors import (
    DamagedImage,
    ImageError,
    TooLongForFormat,
    TooManyPixels,
    UnsupportedFormat,
)
from dctnet.imaging.memory import can_reserve, is_out_of_memory
from dctnet.imaging.transparency import with_alpha

__all__ = [
    "DECODE_BYTES_PER_BODY_BYTE",
    "DECODE_BYTES_PER_PIXEL",
    "DECODE_FIXED_BYTES",
    "ENCODE_BYTES_PER_PIXEL",
    "MEDIA_TYPES",
    "TRANSPARENT_FORMATS",
    "DamagedImage",
    "Format",
    "ImageError",
    "ImageHeader",
    "InputFormat",
    "TooLongForFormat",
    "TooManyPixels",
    "UnsupportedFormat",
    "can_reserve",
    "decode",
    "encode",
    "inspect",
    "is_out_of_memory",
    "require_encodable",
    "with_alpha",
]
