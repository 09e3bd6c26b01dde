"""AVIF files: boxes, each with a length and a name, around items of AV1."""

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL import AvifImagePlugin

from dctnet.imaging import av1
from dctnet.imaging.container import MAX_PROFILE_BYTES, Container
from dctnet.imaging.errors import BrokenPicture
from dctnet.imaging.exif import orientation

MAX_ITEMS: Final = 4096
"""The most items in a file, and boxes in a box: tiles, an alpha, a thumbnail, and metadata."""

MAX_EXTENTS: Final = 2 * MAX_ITEMS
"""The most pieces of which all items consist; a file of a kilobyte can list 65,535 an item."""

MAX_CODED: Final = 4
"""How many times its pixels a picture may code: with its alpha and a thumbnail.

The frames of an animation count with both sides rounded up to powers of two.
"""

_SMALL_PIXELS: Final = 64 * 64
"""As much as that may always be coded: blocks and tiles are not smaller."""

_MAX_FTYP_BYTES: Final = 1024
_UNIQUE: Final = frozenset({b"moov", b"meta", b"iinf", b"iloc", b"idat", b"iprp", b"ipco"})

# The slots already use the processors, and each thread would hold frames of its own.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def is_avif(data: bytes) -> bool:
    """Tell from the first box, which names what the file can be read as."""
    if data[4:8] != b"ftyp":
        return False
    end = min(len(data), int.from_bytes(data[:4]), _MAX_FTYP_BYTES)
    brands = {data[at : at + 4] for at in (8, *range(16, end, 4)) if at < end}
    return not brands.isdisjoint({b"avif", b"avis"})


def read(data: bytes) -> Container:
    """Take an AVIF file apart, and see that its AV1 codes no more than the picture it announces.

    Otherwise a kilobyte could announce a thumbnail and make libavif decode 268 million pixels
    before it scales them down. EXIF is left out, as Pillow would load it, and so is an animation:
    the picture is the file's primary item, turned as its boxes say.

    Raises:
        BrokenPicture: It codes too much, its boxes are damaged, or it has too many of them.
    """
    try:
        still, coded = _still(data)
    except (struct.error, LookupError) as error:
        raise BrokenPicture("The AVIF is damaged or cut off.") from error
    try:
        with AvifImagePlugin.AvifImageFile(BytesIO(still)) as image:
            width, height = image.size
            profile = image.info.get("icc_profile", b"")
            turned = orientation(image.info.get("exif", b""))
    except Exception as error:  # Hostile bytes make Pillow raise far more than it documents.
        raise BrokenPicture("The AVIF's header is damaged.") from error
    if coded > MAX_CODED * max(width * height, _SMALL_PIXELS):
        raise BrokenPicture(
            f"The AVIF announces {width} x {height} pixels but codes up to {coded}."
        )
    usable = profile if len(profile) <= MAX_PROFILE_BYTES else b""
    return Container("AVIF", width, height, still, usable, turned)


def _still(data: bytes) -> tuple[bytes, int]:
    """Return the file as a still picture without EXIF, and how many pixels its AV1 can have."""
    top = _by_name(data, 0, len(data))
    meta_start, meta_end = top[b"meta"]
    meta = _by_name(data, meta_start + 4, meta_end)
    # Of these, libavif keeps a record each, of up to thirty times the length.
    _by_name(data, *_by_name(data, *meta[b"iprp"])[b"ipco"])
    _by_name(data, *top.get(b"moov", (0, 0)))
    still = bytearray(data)
    still[8:12] = b"avif"  # Else libavif would take the animation.
    streams = set()
    for identity, kind, at in _item_kinds(data, *meta[b"iinf"]):
        if kind == b"Exif":
            still[at : at + 4] = b"skip"
        elif kind == b"av01":
            streams.add(identity)
    base = {0: 0, 1: meta.get(b"idat", (len(data), 0))[0]}
    coded = sum(
        av1.coded_pixels(stream)
        for identity, stream in _item_contents(data, meta[b"iloc"][0], base)
        if identity in streams
    )
    return bytes(still), coded


def _boxes(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each box and where its contents start and end."""
    while position + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        stop = position + size if size else end
        if not start <= stop <= end:
            raise BrokenPicture("The AVIF is damaged or cut off.")
        yield name, start, stop
        position = stop


def _by_name(data: bytes, position: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Return where each box starts and ends; those that matter are there once."""
    found: dict[bytes, tuple[int, int]] = {}
    for boxes, (name, start, stop) in enumerate(_boxes(data, position, end), 1):
        if boxes > MAX_ITEMS:
            raise BrokenPicture(f"The AVIF has more than {MAX_ITEMS} boxes.")
        if name in found and name in _UNIQUE:
            raise BrokenPicture(f"The AVIF is damaged: it has two boxes {name.decode()}.")
        found[name] = start, stop
    return found


def _item_kinds(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield each item's number, its kind, and where that is written."""
    entries = start + (6 if data[start] == 0 else 8)
    for _, entry, _ in _boxes(data, entries, end):
        wide = data[entry] == 3
        at = entry + (10 if wide else 8)
        (identity,) = struct.unpack_from(">I" if wide else ">H", data, entry + 4)
        yield identity, data[at : at + 4], at


def _item_contents(data: bytes, position: int, base: dict[int, int]) -> Iterator[tuple[int, bytes]]:
    """Yield each item's number and its bytes.

    Args:
        data: The file.
        position: Where the contents of the box iloc start.
        base: From where offsets count, by the method of construction.
    """
    numbers = _Numbers(data, position)
    version = numbers.take(1)
    numbers.take(3)
    sizes = numbers.take(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    identity_size = 4 if version == 2 else 2
    items = numbers.take(identity_size)
    count = total = 0
    if items > MAX_ITEMS:
        raise BrokenPicture(f"The AVIF has more than {MAX_ITEMS} items.")
    for _ in range(items):
        identity = numbers.take(identity_size)
        origin = base[numbers.take(2) if version else 0]
        numbers.take(2)
        origin += numbers.take(base_size)
        contents = []
        extents = numbers.take(2)
        count += extents
        if count > MAX_EXTENTS:
            raise BrokenPicture(f"The AVIF has more than {MAX_EXTENTS} pieces of items.")
        for _ in range(extents):
            numbers.take(index_size)
            start = origin + numbers.take(offset_size)
            length = numbers.take(length_size)
            total += length
            if total > len(data):
                raise BrokenPicture("The AVIF is damaged: its items are longer than the file.")
            contents.append(data[start : start + length])
        yield identity, b"".join(contents)


class _Numbers:
    """Reads big-endian numbers, one after the other."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position

    def take(self, size: int) -> int:
        """Return the next number, of ``size`` bytes; raise BrokenPicture where the file ends."""
        number = self._data[self._position : self._position + size]
        self._position += size
        if len(number) < size:
            raise BrokenPicture("The AVIF is damaged or cut off.")
        return int.from_bytes(number)
