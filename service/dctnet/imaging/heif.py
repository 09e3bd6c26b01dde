"""HEIF files, AVIF and HEIC: what their boxes say about the primary image.

Names are those of ISO/IEC 14496-12 and 23008-12. Everything else is left to libavif and libheif.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from PIL import _avif

from dctnet.arrays import Pixels
from dctnet.imaging import colour
from dctnet.imaging.container import MAX_PROFILE_BYTES, Container, InputFormat, swaps_sides
from dctnet.imaging.errors import DamagedImage
from dctnet.imaging.rgb import Raster

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

_ALPHA: Final = b"\0\0\0\0urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"
"""Property ``auxC`` of an alpha."""

_MORE_BITS, _MONOCHROME = 0x40, 0x10
"""Flags in the third byte of a property ``av1C``: more than 8 bits per colour, and no colours."""

Edit = tuple[int, bytes]
"""Offset in a file, and the bytes to put there."""

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


def decode_avif(container: Container) -> Raster:
    """Decode an AVIF as stored; of an animation the first frame.

    Calls libavif as Pillow does, but without Pillow's image of 4 bytes per pixel. Raises
    DamagedImage, or MemoryError.
    """
    data, size = container.data, (container.width, container.height)
    # With hostile input Pillow raises more than the documented OSError.
    try:
        decoder, found, mode = _open_avif(data)
        if found != size:
            raise DamagedImage("The image's headers contradict each other.")
        raster = _decode_alpha_apart(data, size) if mode == "RGBA" else None
        return raster or Raster(_decode_frame(decoder, size, mode))
    except (MemoryError, DamagedImage):
        raise
    except Exception as error:
        raise DamagedImage("The image is damaged or cut off.") from error


def _decode_alpha_apart(data: bytes, size: tuple[int, int]) -> Raster | None:
    """Decode the colours, then the alpha; None if the file does not allow that.

    At once they would take 12 bytes per pixel: 4 in YUV, 4 in RGBA, and 4 of Pillow's copy.
    """
    edits = _File(data, "AVIF").edits_for_alpha()
    if not edits:
        return None
    edited = bytearray(data)
    layers = []
    for (at, replacement), expected in zip(edits, ("RGB", "L"), strict=True):
        edited[at : at + len(replacement)] = replacement
        decoder, found, mode = _open_avif(edited)
        if (found, mode) != (size, expected):
            return None
        layers.append(_decode_frame(decoder, size, mode))
        del decoder  # Frees what it has decoded.
    return Raster(*layers)


def _open_avif(data: bytes | bytearray) -> tuple[Any, tuple[int, int], str]:
    """Return a decoder, width and height, and Pillow's mode."""
    decoder = _avif.AvifDecoder(data, "auto", _THREADS)
    size, _, mode, *_ = decoder.get_info()
    return decoder, size, mode


def _decode_frame(decoder: Any, size: tuple[int, int], mode: str) -> Pixels:
    """Return HxW grey, HxWx3 RGB or HxWx4 RGBA."""
    frame, *_ = decoder.get_frame(0)
    pixels: Pixels = np.frombuffer(frame, np.uint8)
    width, height = size
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
        meta = self._meta()
        return self._properties(meta, self._primary(meta)[1])

    def edits_for_alpha(self) -> tuple[Edit, Edit] | None:
        """Return an edit that detaches the alpha, and one that makes it the primary item.

        None unless colours and alpha are an item of AV1 each, with 8 bits, and not premultiplied:
        others would not be decoded to the same pixels.
        """
        if self._data[8:12] != b"avif":  # libavif may take a track.
            return None
        try:
            meta = self._meta()
            at, primary = self._primary(meta)
            references = list(self._references(*meta[b"iref"]))
            ((auxl, alpha),) = ((at, item) for name, at, item in references if name == b"auxl")
            of_colours, of_alpha = (self._properties(meta, item) for item in (primary, alpha))
            colour_bits, alpha_bits = (_all(p, b"av1C")[0][2] for p in (of_colours, of_alpha))
        except (struct.error, LookupError, ValueError, DamagedImage):
            return None
        is_simple = (
            self._data[at - 4] == 0  # Else numbers of items have 4 bytes.
            and all(name != b"prem" for name, *_ in references)
            and _all(of_alpha, b"auxC") == [_ALPHA]
            and not colour_bits & (_MORE_BITS | _MONOCHROME)
            and alpha_bits & (_MORE_BITS | _MONOCHROME) == _MONOCHROME
        )
        return ((auxl, b"free"), (at, alpha.to_bytes(2))) if is_simple else None

    def _meta(self) -> dict[bytes, tuple[int, int]]:
        """Return start and end of the contents of each box in ``meta``."""
        start, end = self._box(b"meta", 0, len(self._data))
        return {name: (start, end) for name, start, end in self._boxes(start + 4, end)}

    def _primary(self, meta: dict[bytes, tuple[int, int]]) -> tuple[int, int]:
        """Return offset and number of the primary item."""
        self._position = meta[b"pitm"][0]
        version = self._take(4) >> 24
        return self._position, self._take(4 if version else 2)

    def _properties(self, meta: dict[bytes, tuple[int, int]], item: int) -> list[Property]:
        container = self._box(b"ipco", *meta[b"iprp"])
        properties = [(name, self._data[at:stop]) for name, at, stop in self._boxes(*container)]
        return [properties[n - 1] for n in self._associations(*meta[b"iprp"], item) if n]

    def _references(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield type, its offset, and source of each reference between items."""
        for name, at, _ in self._boxes(start + 4, end):
            self._position = at
            yield name, at - 4, self._take(2)

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
