"""WebP files: RIFF chunks with name and length."""

import struct
from typing import Final

import cv2
import numpy as np
from PIL import _webp

from dctnet.arrays import Pixels
from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES, Container
from dctnet.imaging.errors import DamagedImage
from dctnet.imaging.exif import orientation
from dctnet.imaging.rgb import Raster, swap_colours

_FORM: Final = 8
"""Offset from which a RIFF's length counts."""
_FIRST_CHUNK: Final = 12
_ANIMATION: Final = 0x02
"""Flag of an animation in the header of an extended file."""
_ALPHA: Final = 0x10
"""Flag of alpha, there."""
_FRAME_HEADER: Final = 16
"""Bytes of a frame's position, size, duration and flags, before its chunks."""
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
    metadata = _find_chunks(data, {b"ICCP", b"EXIF"}) if data[12:16] == b"VP8X" else {}
    profile = bytes(metadata.get(b"ICCP", b""))
    return Container(
        "WEBP",
        width,
        height,
        data,
        profile=profile if len(profile) <= MAX_PROFILE_BYTES else b"",
        orientation=orientation(bytes(metadata.get(b"EXIF", b""))),
        is_animated=data[12:16] == b"VP8X" and bool(data[20] & _ANIMATION),
    )


def decode(container: Container) -> Raster:
    """Decode a WebP to RGB or RGBA, as stored; of an animation the first frame.

    Calls OpenCV, because Pillow decodes each as an animation, with two frames beside the result,
    and copies it twice. Raises DamagedImage.
    """
    if container.is_animated:
        return Raster(_decode_first_frame(container))
    data = container.data
    # OpenCV tries its other decoders too, and takes a RIFF with the length "ftyp" for an AVIF.
    if not _FIRST_CHUNK <= _FORM + _read_int(data[4:8]) <= len(data):
        raise DamagedImage("The image is damaged or cut off.")
    return Raster(_decode_still(data, container.width, container.height))


def _decode_first_frame(container: Container) -> Pixels:
    """Decode the first frame of an animation as a still image, and place it on the canvas."""
    data = container.data
    try:
        # Checks the structure of the file. The canvases that it allocates are not touched.
        (width, height), *_, mode = _webp.WebPAnimDecoder(data).get_info()
    except OSError as error:
        raise DamagedImage("The image's header is damaged.") from error
    if (width, height) != (container.width, container.height):
        raise DamagedImage("The image's headers contradict each other.")
    frame = _find_chunks(data, {b"ANMF"}).get(b"ANMF", memoryview(b""))
    x, y, last_column, last_row = (_read_int(frame[at : at + 3]) for at in range(0, 12, 3))
    left, top, right, bottom = 2 * x, 2 * y, 2 * x + last_column + 1, 2 * y + last_row + 1
    chunks = frame[_FRAME_HEADER:]
    flags = 0 if bytes(chunks[:4]) == b"VP8 " else _ALPHA
    header = struct.pack("<4sII6s", b"VP8X", 10, flags, bytes(frame[6:12]))
    riff = struct.pack("<4sI4s", b"RIFF", 4 + len(header) + len(chunks), b"WEBP")
    pixels = _decode_still(b"".join((riff, header, chunks)), right - left, bottom - top)
    channels = 4 if mode == "RGBA" else 3
    pixels = pixels[..., :channels]
    if pixels.shape == (height, width, channels):
        return pixels
    canvas: Pixels = np.zeros((height, width, channels), np.uint8)
    area = canvas[top:bottom, left:right]
    area[..., 3:] = 255
    area[..., : pixels.shape[2]] = pixels
    return canvas


def _decode_still(data: bytes, width: int, height: int) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.shape[:2] != (height, width):
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


def _read_int(data: bytes | memoryview) -> int:
    return int.from_bytes(data, "little")


def _find_chunks(data: bytes, names: set[bytes]) -> dict[bytes, memoryview]:
    """Return the contents of the first chunk of each of these names."""
    found: dict[bytes, memoryview] = {}
    position = _FIRST_CHUNK
    chunks = 0
    while position + 8 <= len(data):
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise DamagedImage(f"The WebP has more than {MAX_CHUNKS} chunks.")
        name, length = struct.unpack_from("<4sI", data, position)
        position += 8
        if name in names and name not in found:
            found[name] = memoryview(data)[position : position + length]
        position += length + length % 2
    return found
