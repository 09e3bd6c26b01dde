"""HEIF files, AVIF and HEIC: what their boxes say about the primary image.

Names are those of ISO/IEC 14496-12 and 23008-12. Everything else is left to libavif and libheif.
"""

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import _avif

from dctnet.arrays import Pixels
from dctnet.imaging import colour
from dctnet.imaging.container import MAX_PROFILE_BYTES, Container, InputFormat, swaps_sides
from dctnet.imaging.errors import DamagedImage

MAX_FIELDS: Final = 32_768
"""Limit of boxes and numbers that are read of a file: a large grid has some thousands."""

_AVIF: Final = frozenset({b"avif", b"avis"})
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})
"""Brands of still images in HEVC; those of sequences alone are not enough."""

_MAX_FTYP_BYTES: Final = 1024

_ORIENTATIONS: Final = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))
"""EXIF orientations by number of quarter turns: not mirrored, mirrored vertically, horizontally."""

Property = tuple[bytes, bytes]
"""Name and contents of a property."""

_THREADS: Final = 1
"""Slots already use all CPUs, and each thread would allocate its own frames."""


def is_avif(data: bytes) -> bool:
    """Return whether the brands in the ``ftyp`` box are those of AVIF."""
    return not _brands(data).isdisjoint(_AVIF)


def is_heic(data: bytes) -> bool:
    """Return whether the brands in the ``ftyp`` box are those of HEIC, and none of AVIF."""
    return not _brands(data).isdisjoint(_HEIC) and not is_avif(data)


def _brands(data: bytes) -> set[bytes]:
    if data[4:8] != b"ftyp":
        return set()
    end = min(len(data), int.from_bytes(data[:4]), _MAX_FTYP_BYTES)
    return {data[at : at + 4] for at in (8, *range(16, end, 4)) if at < end}


def decode_avif(container: Container) -> Pixels:
    """Decode an AVIF to HxW grey, HxWx3 RGB or HxWx4 RGBA, as stored, of the first frame.

    Calls libavif as Pillow does, but without Pillow's image of 4 bytes per pixel. Raises
    DamagedImage, or MemoryError.
    """
    # With hostile input Pillow raises more than the documented OSError.
    try:
        decoder = _avif.AvifDecoder(container.data, "auto", _THREADS)
        (width, height), _, mode, *_ = decoder.get_info()
        if (width, height) != (container.width, container.height):
            raise DamagedImage("The image's headers contradict each other.")
        frame, *_ = decoder.get_frame(0)
    except (MemoryError, DamagedImage):
        raise
    except Exception as error:
        raise DamagedImage("The image is damaged or cut off.") from error
    pixels: Pixels = np.frombuffer(frame, np.uint8)
    return pixels.reshape((height, width) if mode == "L" else (height, width, len(mode)))


def read_avif(data: bytes) -> Container:
    """Parse the properties of an AVIF's primary item, which is also the image of an animation.

    Raises:
        DamagedImage: The file is damaged, or has more than ``MAX_FIELDS`` boxes and numbers up to
            the end of these properties.
    """
    return _read(data, "AVIF")


def read_heic(data: bytes) -> Container:
    """Parse the properties of a HEIC's primary item, the first of a collection.

    Raises as ``read_avif`` does.
    """
    return _read(data, "HEIC")


def _read(data: bytes, format: InputFormat) -> Container:
    try:
        properties = _File(data, format).primary_properties()
        width, height = struct.unpack_from(">4xII", _all(properties, b"ispe")[0])
        coded_pixels, orientation = width * height, _orientation(properties)
        if format == "HEIC":  # libheif crops, turns and mirrors.
            width, height = _cropped(properties, width, height)
            if swaps_sides(orientation):
                width, height = height, width
            orientation = 1
    except (struct.error, LookupError, ZeroDivisionError) as error:
        raise DamagedImage(f"The {format} is damaged or cut off.") from error
    profiles = [colr[4:] for colr in _all(properties, b"colr") if colr[:4] in {b"prof", b"rICC"}]
    codes = [colr[4:8] for colr in _all(properties, b"colr") if colr[:4] == b"nclx"]
    primaries, transfer = struct.unpack(">HH", codes[0]) if codes else (0, 0)
    coded = colour.coded_profile(primaries, transfer, camera=colour.SRGB_CURVE)
    profile = profiles[0] if profiles else coded
    return Container(
        format,
        width,
        height,
        data,
        profile=profile if len(profile) <= MAX_PROFILE_BYTES else b"",
        hdr=None if profiles else colour.coding(primaries, transfer),
        orientation=orientation,
        coded_pixels=coded_pixels,
    )


def _all(properties: list[Property], name: bytes) -> list[bytes]:
    return [contents for found, contents in properties if found == name]


def _orientation(properties: list[Property]) -> int:
    """Return the EXIF orientation that equals rotation and mirror."""
    quarters = next((c[0] & 3 for c in _all(properties, b"irot") if c), 0)
    mirror = next((1 + (c[0] & 1) for c in _all(properties, b"imir") if c), 0)
    return _ORIENTATIONS[quarters][mirror]


def _cropped(properties: list[Property], width: int, height: int) -> tuple[int, int]:
    """Return width and height after the crop of a ``clap``, if there is one."""
    for clap in _all(properties, b"clap"):
        numbers = struct.unpack_from(">4I", clap)
        return numbers[0] // numbers[1], numbers[2] // numbers[3]
    return width, height


class _File:
    def __init__(self, data: bytes, format: InputFormat) -> None:
        self._format = format
        self._data = data
        self._position = 0
        self._fields = 0

    def primary_properties(self) -> list[Property]:
        """Return the primary item's properties; boxes after the first ``meta`` are ignored."""
        start, end = self._box(b"meta", 0, len(self._data))
        meta = {name: (start, end) for name, start, end in self._boxes(start + 4, end)}
        self._position = meta[b"pitm"][0]
        version = self._take(4) >> 24
        primary = self._take(4 if version else 2)
        container = self._box(b"ipco", *meta[b"iprp"])
        properties = [(name, self._data[at:stop]) for name, at, stop in self._boxes(*container)]
        return [properties[n - 1] for n in self._associations(*meta[b"iprp"], primary) if n]

    def _associations(self, start: int, end: int, primary: int) -> Iterator[int]:
        """Yield the numbers of an item's properties, from 1; 0 stands for none."""
        for name, at, _ in self._boxes(start, end):
            if name != b"ipma":
                continue
            self._position = at
            version_and_flags = self._take(4)
            size = 2 if version_and_flags & 1 else 1
            for _ in range(self._take(4)):
                item = self._take(4 if version_and_flags >> 24 else 2)
                numbers = [self._take(size) & (1 << 8 * size - 1) - 1 for _ in range(self._take(1))]
                if item == primary:
                    yield from numbers

    def _box(self, name: bytes, start: int, end: int) -> tuple[int, int]:
        """Return start and end of the contents of the first box of this name."""
        for found, at, stop in self._boxes(start, end):
            if found == name:
                return at, stop
        raise LookupError(name)

    def _boxes(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield name, start and end of each box's contents."""
        while start + 8 <= end:
            self._count()
            size, name = struct.unpack_from(">I4s", self._data, start)
            contents = start + 8
            if size == 1:
                (size,) = struct.unpack_from(">Q", self._data, contents)
                contents += 8
            stop = start + size if size else end
            if not contents <= stop <= end:
                raise LookupError(name)
            yield name, contents, stop
            start = stop

    def _take(self, size: int) -> int:
        self._count()
        taken = self._data[self._position : self._position + size]
        self._position += size
        if len(taken) < size:
            raise LookupError(self._position)
        return int.from_bytes(taken)

    def _count(self) -> None:
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise DamagedImage(f"The {self._format} consists of more than {MAX_FIELDS} parts.")
