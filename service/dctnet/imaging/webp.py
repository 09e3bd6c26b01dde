"""WebP files: RIFF chunks with name and length."""

import struct
from typing import Final

import cv2
import numpy as np

from dctnet.arrays import Pixels
from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES, Container
from dctnet.imaging.errors import DamagedImage
from dctnet.imaging.exif import orientation
from dctnet.imaging.rgb import swap_colours

_FORM: Final = 8
"""Offset from which a RIFF's length counts."""
_FIRST_CHUNK: Final = 12
_ANIMATION: Final = 0x02
"""Flag of an animation in the header of an extended file."""
_SIDE: Final = 0x3FFF
"""Bit mask of a side in pixels, in the headers of both codecs."""


def is_webp(data: bytes) -> bool:
    """Return whether the first bytes are those of a WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read(data: bytes) -> Container:
    """Parse size and metadata, before Pillow allocates two whole frames.

    Raises:
        DamagedImage: The header is damaged or truncated, or there are more than ``MAX_CHUNKS``.
    """
    width, height = _size(data)
    metadata = _chunks(data) if data[12:16] == b"VP8X" else {}
    profile = metadata.get(b"ICCP", b"")
    return Container(
        "WEBP",
        width,
        height,
        data,
        profile=profile if len(profile) <= MAX_PROFILE_BYTES else b"",
        orientation=orientation(metadata.get(b"EXIF", b"")),
        is_animated=data[12:16] == b"VP8X" and bool(data[20] & _ANIMATION),
    )


def decode_still(container: Container) -> Pixels:
    """Decode a still WebP to HxWx3 RGB or HxWx4 RGBA, as stored, with OpenCV.

    Pillow would decode it as an animation, and copy it twice. Raises DamagedImage.
    """
    data = container.data
    # OpenCV tries its other decoders too, and takes a RIFF with the length "ftyp" for an AVIF.
    is_whole = _FIRST_CHUNK <= _FORM + _read_int(data[4:8]) <= len(data)
    try:
        pixels = (
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if is_whole else None
        )
        if pixels is None or pixels.shape[:2] != (container.height, container.width):
            raise DamagedImage("The image is damaged or cut off.")
        rgb: Pixels = np.asarray(pixels, np.uint8)
        swap_colours(rgb)
    except cv2.error as error:
        raise DamagedImage("The image is damaged or cut off.") from error
    return rgb


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height, as in the first chunk."""
    fourcc, header = data[12:16], data[20:30]
    if len(header) == 10:
        if fourcc == b"VP8X":
            return _read_int(header[4:7]) + 1, _read_int(header[7:10]) + 1
        if fourcc == b"VP8 " and header[3:6] == b"\x9d\x01\x2a":
            return _read_int(header[6:8]) & _SIDE, _read_int(header[8:10]) & _SIDE
        if fourcc == b"VP8L" and header[0] == 0x2F:
            sides = _read_int(header[1:5])
            return (sides & _SIDE) + 1, (sides >> 14 & _SIDE) + 1
    raise DamagedImage("The WebP's header is damaged or cut off.")


def _read_int(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the metadata chunks by name, the first of each."""
    metadata: dict[bytes, bytes] = {}
    position = _FIRST_CHUNK
    chunks = 0
    while position + 8 <= len(data):
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise DamagedImage(f"The WebP has more than {MAX_CHUNKS} chunks.")
        name, length = struct.unpack_from("<4sI", data, position)
        position += 8
        if name in {b"ICCP", b"EXIF"}:
            metadata.setdefault(name, data[position : position + length])
        position += length + length % 2
    return metadata
