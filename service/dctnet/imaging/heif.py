"""HEIF container: reading and writing of the boxes that describe items.

Names are those of ISO/IEC 14496-12 and 23008-12.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dctnet.imaging.errors import DamagedImage

MAX_FIELDS: Final = 32_768
"""Limit of boxes and numbers read from a file: about 20 for each of 1500 items. libavif decodes no
image with more tiles of 512 x 512 pixels."""

_ALPHA: Final = frozenset(
    {b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"}
)

_ORIENTATIONS: Final = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))
"""EXIF orientations by number of quarter turns: not mirrored, mirrored vertically, horizontally."""

Property = tuple[bytes, bytes]
"""Name and contents of a property."""

Extents = tuple[tuple[int, int], ...]
"""Start and end of each extent of an item in the file."""


@dataclass(slots=True)
class Item:
    """An item: an image, a tile, an alpha image, or other data."""

    item_id: int
    item_type: bytes = b""
    extents: Extents = ()
    properties: list[tuple[Property, bool]] = field(default_factory=list)
    """Properties, each with whether it is essential: a reader must know it to use the item."""
    references: dict[bytes, list[int]] = field(default_factory=dict)
    """Referenced items by type of reference."""

    def all(self, name: bytes) -> list[bytes]:
        """Return the contents of the properties of this name."""
        return [contents for (found, contents), _ in self.properties if found == name]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; raises LookupError if missing."""
        width, height = struct.unpack_from(">4xII", self.all(b"ispe")[0])
        return width, height

    @property
    def is_alpha(self) -> bool:
        """Whether the item is the alpha image of the items that it references."""
        return any(contents[4:64].split(b"\0")[0] in _ALPHA for contents in self.all(b"auxC"))

    @property
    def profile(self) -> bytes:
        """ICC profile; empty if there is none."""
        return next((c[4:] for c in self.all(b"colr") if c[:4] in {b"prof", b"rICC"}), b"")

    @property
    def orientation(self) -> int:
        """EXIF orientation that equals rotation and mirror."""
        quarters = next((contents[0] & 3 for contents in self.all(b"irot")), 0)
        mirror = next((1 + (contents[0] & 1) for contents in self.all(b"imir")), 0)
        return _ORIENTATIONS[quarters][mirror]


class Items(dict[int, Item]):
    """Items of a file by ID; looking up an unknown ID creates the item."""

    primary: int

    def __missing__(self, item_id: int) -> Item:
        return self.setdefault(item_id, Item(item_id))


def read(data: bytes) -> Items:
    """Return the items of a file.

    Raises:
        DamagedImage: The file is truncated, or has more than ``MAX_FIELDS`` fields.
        LookupError: A box is missing or a number out of range.
        struct.error: A number is truncated.
    """
    return _File(data).items


class _File:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._fields = 0
        self.items = Items()
        # Boxes after the first ``meta`` are ignored.
        start, end = next(self._boxes_named(b"meta", 0, len(data)), (0, 0))
        meta = {name: (start, end) for name, start, end in self._boxes(start + 4, end)}
        self._read_primary(meta[b"pitm"][0])
        self._read_types(*meta[b"iinf"])
        self._read_properties(*meta[b"iprp"])
        self._read_locations(meta[b"iloc"][0], meta.get(b"idat", (len(data), 0))[0])
        if b"iref" in meta:
            self._read_references(*meta[b"iref"])

    def _count(self) -> None:
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise DamagedImage(f"The AVIF consists of more than {MAX_FIELDS} parts.")

    def _boxes(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield name, start and end of each box's contents; set the position to the start."""
        while start + 8 <= end:
            self._count()
            size, name = struct.unpack_from(">I4s", self._data, start)
            contents = start + 8
            if size == 1:
                (size,) = struct.unpack_from(">Q", self._data, contents)
                contents += 8
            stop = start + size if size else end
            if not contents <= stop <= end:
                raise DamagedImage("The AVIF is damaged or cut off.")
            self._position = contents
            yield name, contents, stop
            start = stop

    def _boxes_named(self, name: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        return ((start, stop) for found, start, stop in self._boxes(start, end) if found == name)

    def _take_bytes(self, size: int) -> bytes:
        self._count()
        taken = self._data[self._position : self._position + size]
        self._position += size
        if len(taken) < size:
            raise DamagedImage("The AVIF is damaged or cut off.")
        return taken

    def _take(self, size: int) -> int:
        return int.from_bytes(self._take_bytes(size))

    def _take_version(self, start: int) -> tuple[int, int]:
        """Set the position to a box's contents and read version and flags."""
        self._position = start
        return self._take(1), self._take(3)

    def _read_primary(self, start: int) -> None:
        version, _ = self._take_version(start)
        self.items.primary = self._take(4 if version else 2)

    def _read_types(self, start: int, end: int) -> None:
        version, _ = self._take_version(start)
        for _, entry, _ in self._boxes(start + (8 if version else 6), end):
            version, _ = self._take_version(entry)
            item = self.items[self._take(4 if version == 3 else 2)]
            self._take(2)
            item.item_type = self._take_bytes(4)

    def _read_properties(self, start: int, end: int) -> None:
        container = next(self._boxes_named(b"ipco", start, end), (0, 0))
        properties = [(name, self._data[at:stop]) for name, at, stop in self._boxes(*container)]
        for at, _ in list(self._boxes_named(b"ipma", start, end)):
            version, flags = self._take_version(at)
            size = 2 if flags & 1 else 1
            for _ in range(self._take(4)):
                item = self.items[self._take(4 if version else 2)]
                for _ in range(self._take(1)):
                    essential, number = divmod(self._take(size), 1 << 8 * size - 1)
                    if number:
                        item.properties.append((properties[number - 1], essential == 1))

    def _read_locations(self, start: int, idat: int) -> None:
        version, _ = self._take_version(start)
        sizes = self._take(2)
        offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
        index_size = sizes & 15 if version else 0
        item_id_size = 4 if version == 2 else 2
        for _ in range(self._take(item_id_size)):
            item = self.items[self._take(item_id_size)]
            construction_method = self._take(2) if version else 0
            self._take(2)
            base = (0, idat)[construction_method] + self._take(base_size)
            extents = []
            for _ in range(self._take(2)):
                self._take(index_size)
                at = base + self._take(offset_size)
                extents.append((at, at + self._take(length_size)))
            item.extents = tuple(extents)
        self._check_extents({item.extents for item in self.items.values()})

    def _check_extents(self, distinct: set[Extents]) -> None:
        """Raise DamagedImage if items are truncated, or overlap and exceed the file's length.

        Several items may be the same bytes: libavif writes equal tiles once.
        """
        pieces = [piece for extents in distinct for piece in extents]
        if any(end > len(self._data) for _, end in pieces):
            raise DamagedImage("The AVIF is damaged or cut off.")
        if sum(end - start for start, end in pieces) > len(self._data):
            raise DamagedImage("The AVIF is damaged: its items are longer than the file.")

    def _read_references(self, start: int, end: int) -> None:
        version, _ = self._take_version(start)
        size = 4 if version else 2
        for name, _, _ in self._boxes(start + 4, end):
            targets = self.items[self._take(size)].references.setdefault(name, [])
            targets += [self._take(size) for _ in range(self._take(2))]


def write(data: bytes, items: list[Item]) -> bytes:
    """Return an AVIF file of some items of the file ``data``; the first is the primary item."""
    ftyp = _box(b"ftyp", b"avif\0\0\0\0avifmif1miaf")
    offsets: dict[Extents, int] = {}
    position = len(ftyp) + 8
    pieces = []
    for item in items:
        if item.extents not in offsets:
            offsets[item.extents] = position
            pieces += [memoryview(data)[start:end] for start, end in item.extents]
            position += _length(item)
    return b"".join((ftyp, _box(b"mdat", *pieces), _meta(items, offsets)))


def _length(item: Item) -> int:
    return sum(end - start for start, end in item.extents)


def _box(name: bytes, *parts: bytes | memoryview) -> bytes:
    return b"".join((struct.pack(">I4s", 8 + sum(map(len, parts)), name), *parts))


def _full_box(name: bytes, version: int, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _meta(items: list[Item], offsets: dict[Extents, int]) -> bytes:
    """Return the ``meta`` box of items, with 32-bit numbers."""
    numbers: dict[Property, int] = {}
    types, associations, extents, references = b"", b"", b"", b""
    for item in sorted(items, key=lambda item: item.item_id):  # ipma requires this order.
        types += _full_box(b"infe", 3, struct.pack(">IH4sx", item.item_id, 0, item.item_type))
        associations += struct.pack(">IB", item.item_id, len(item.properties))
        for property, essential in item.properties:
            number = numbers.setdefault(property, len(numbers) + 1)
            associations += struct.pack(">H", essential << 15 | number)
        where = offsets[item.extents], _length(item)
        extents += struct.pack(">IHHHII", item.item_id, 0, 0, 1, *where)
        for name, targets in item.references.items():
            if targets:
                form = f">IH{len(targets)}I"
                references += _box(name, struct.pack(form, item.item_id, len(targets), *targets))
    count = len(items)
    return _full_box(
        b"meta",
        0,
        _full_box(b"hdlr", 0, b"\0\0\0\0pict", bytes(13)),
        _full_box(b"pitm", 1, struct.pack(">I", items[0].item_id)),
        _full_box(b"iinf", 1, struct.pack(">I", count), types),
        _full_box(b"iref", 1, references),
        _box(
            b"iprp",
            _box(b"ipco", *(_box(*property) for property in numbers)),
            _full_box(b"ipma", 1, struct.pack(">I", count), associations, flags=1),
        ),
        _full_box(b"iloc", 2, struct.pack(">HI", 0x4400, count), extents),
    )
