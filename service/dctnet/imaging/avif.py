"""AVIF files: images of AV1 in a HEIF file."""

import struct
from collections import Counter
from math import prod
from typing import Final

from PIL import AvifImagePlugin

from dctnet.imaging import av1, heif
from dctnet.imaging.container import MAX_PROFILE_BYTES, Container
from dctnet.imaging.errors import DamagedImage

MAX_CODED_RATIO: Final = 4
"""How many times its pixels an image may code: with its alpha, in layers, and in tiles that reach
beyond its sides."""

BLOCK: Final = 64
"""To multiples of that the sides of a frame may be rounded up, in pixels: AV1 codes in blocks."""

SMALL_FRAME_PIXELS: Final = 512 * 512
"""As much as that a frame may always have: phones write such tiles, even of a narrow image."""

_MAX_FTYP_BYTES: Final = 1024

_REQUIRED_PROPERTIES: Final = frozenset(
    {b"ispe", b"av1C", b"pixi", b"auxC", b"a1op", b"lsel", b"a1lx"}
)
"""The properties of which decoding needs all."""
_KNOWN_PROPERTIES: Final = _REQUIRED_PROPERTIES | {b"colr", b"irot", b"imir", b"clap", b"pasp"}

# The slots already use the CPUs, and each thread would hold frames of its own.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def is_avif(data: bytes) -> bool:
    """Tell from the first box, which names what the file can be read as."""
    if data[4:8] != b"ftyp":
        return False
    end = min(len(data), int.from_bytes(data[:4]), _MAX_FTYP_BYTES)
    brands = {data[at : at + 4] for at in (8, *range(16, end, 4)) if at < end}
    return not brands.isdisjoint({b"avif", b"avis"})


def read(data: bytes) -> Container:
    """Take an AVIF file apart, but keep only the primary item, its tiles and its alpha.

    libavif would keep far larger records of all that a file lists, in quadratic time. Of an
    animation, the image is the primary item as well.

    Raises:
        DamagedImage: The file is damaged, lists too much, or codes more than it announces.
    """
    try:
        image = _AvifImage(data, heif.read(data))
        image.check_decoding_cost()
        width, height = image.colour.size
        profile = image.colour.profile
        return Container(
            "AVIF",
            width,
            height,
            data=image.to_bytes(),
            profile=profile if len(profile) <= MAX_PROFILE_BYTES else b"",
            orientation=image.colour.orientation,
        )
    except (struct.error, LookupError) as error:
        raise DamagedImage("The AVIF is damaged or cut off.") from error


class _AvifImage:
    """What a viewer shows of a file: the primary item, its tiles, and its alpha."""

    def __init__(self, data: bytes, items: heif.Items) -> None:
        self._data = data
        self._listed = items
        self.colour = items[items.primary]
        tiles = self._tiles(self.colour)
        self._items = [self.colour, *tiles, *self._alpha(tiles)]
        if any(item.item_type not in {b"av01", b"grid"} for item in self._items):
            raise DamagedImage("The AVIF's image is not coded in AV1.")
        if len({item.item_id for item in self._items}) < len(self._items):
            raise DamagedImage("The AVIF is damaged: an item has two places in the image.")

    def _tiles(self, item: heif.Item) -> list[heif.Item]:
        """Return the tiles of an item that is a grid, in their order."""
        if item.item_type != b"grid":
            return []
        grid = self._read_extents(item.extents)
        _, flags, last_row, last_column = struct.unpack_from(">4B", grid)
        size = struct.unpack(">II" if flags & 1 else ">HH", grid[4:])
        tiles = [self._listed[item_id] for item_id in item.references[b"dimg"]]
        if size != item.size or len(tiles) != (last_row + 1) * (last_column + 1):
            raise DamagedImage("The AVIF is damaged: its grid contradicts what it announces.")
        return tiles

    def _alpha(self, tiles: list[heif.Item]) -> list[heif.Item]:
        """Return the image's alpha and its tiles, or that of each of ``tiles``, or nothing."""
        alphas = {
            shown: item
            for item in self._listed.values()
            if item.is_alpha
            for shown in item.references.get(b"auxl", [])
        }
        if alpha := alphas.get(self.colour.item_id):
            return [alpha, *self._tiles(alpha)]
        found = [alphas[tile.item_id] for tile in tiles if tile.item_id in alphas]
        return found if len(found) == len(tiles) else []

    def _read_extents(self, extents: heif.Extents) -> bytes:
        return b"".join(self._data[start:end] for start, end in extents)

    def check_decoding_cost(self) -> None:
        """Raise DamagedImage unless its AV1 codes about the pixels that it announces.

        Otherwise a kilobyte could make libavif decode 268 million pixels for a thumbnail, or
        enlarge a thumbnail to as many.
        """
        width, height = self.colour.size
        pixel_limit = max(
            _round_up_to_block(width) * _round_up_to_block(height), SMALL_FRAME_PIXELS
        )
        coders = [item for item in self._items if item.item_type == b"av01"]
        times = Counter(item.extents for item in coders)
        streams = ((self._read_extents(extents), count) for extents, count in times.items())
        frames = dict(zip(times, av1.frame_pixels(streams), strict=True))
        largest = coded = 0
        for item in coders:
            announced = prod(item.size)
            largest = max(largest, announced, *frames[item.extents])
            coded += max(announced, sum(frames[item.extents]))
        if largest > pixel_limit or coded > MAX_CODED_RATIO * pixel_limit:
            raise DamagedImage(
                f"The AVIF announces {width} x {height} pixels but codes up to {coded}."
            )

    def to_bytes(self) -> bytes:
        """Return it as a file of its own."""
        return heif.write(self._data, [self._strip_item(item) for item in self._items])

    def _strip_item(self, item: heif.Item) -> heif.Item:
        """Return an item with only those properties and references that decoding needs."""
        unknown = [
            name
            for (name, _), essential in item.properties
            if essential and name not in _KNOWN_PROPERTIES
        ]
        if unknown:
            raise DamagedImage("The AVIF has a property that nobody knows, and needs it.")
        shown = {item.item_id for item in self._items}
        return heif.Item(
            item.item_id,
            item.item_type,
            item.extents,
            [
                ((name, contents), essential)
                for (name, contents), essential in item.properties
                if name in _REQUIRED_PROPERTIES or (name == b"colr" and contents[:4] == b"nclx")
            ],
            {
                name: [target for target in item.references.get(name, []) if target in shown]
                for name in (b"dimg", b"auxl", b"prem")
            },
        )


def _round_up_to_block(side: int) -> int:
    return -(-side // BLOCK) * BLOCK
