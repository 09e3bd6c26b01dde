"""AVIF files: AV1 images in HEIF."""

import struct
from collections import Counter
from math import prod
from typing import Final

from PIL import AvifImagePlugin

from dctnet.imaging import av1, heif
from dctnet.imaging.container import MAX_PROFILE_BYTES, Container
from dctnet.imaging.errors import DamagedImage

MAX_CODED_RATIO: Final = 4
"""Limit of coded pixels per pixel of the image: with alpha, layers, and tiles beyond its sides."""

BLOCK: Final = 64
"""Block size of AV1 in pixels, to whose multiples a frame's sides may be rounded up."""

SMALL_FRAME_PIXELS: Final = 512 * 512
"""Pixels that a frame may always have: phones write such tiles, even for a narrow image."""

_MAX_FTYP_BYTES: Final = 1024

_REQUIRED_PROPERTIES: Final = frozenset(
    {b"ispe", b"av1C", b"pixi", b"auxC", b"a1op", b"lsel", b"a1lx"}
)
"""Properties that decoding needs."""
_KNOWN_PROPERTIES: Final = _REQUIRED_PROPERTIES | {b"colr", b"irot", b"imir", b"clap", b"pasp"}

# Slots already use all CPUs, and each thread would allocate its own frames.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def is_avif(data: bytes) -> bool:
    """Return whether the brands in the ``ftyp`` box are those of AVIF."""
    if data[4:8] != b"ftyp":
        return False
    end = min(len(data), int.from_bytes(data[:4]), _MAX_FTYP_BYTES)
    brands = {data[at : at + 4] for at in (8, *range(16, end, 4)) if at < end}
    return not brands.isdisjoint({b"avif", b"avis"})


def read(data: bytes) -> Container:
    """Parse an AVIF file; keep only the primary item, its tiles and its alpha.

    libavif would keep far larger records of all items, in quadratic time. The primary item is also
    the image of an animation.

    Raises:
        DamagedImage: The file is damaged, exceeds a limit, or codes more than it announces.
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
    """The image that a viewer shows: the primary item, its tiles, and its alpha."""

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
        """Return the tiles of a grid item, in order."""
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
        """Return the image's alpha item and its tiles, or the alpha items of ``tiles``, or none."""
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
        """Raise DamagedImage if the AV1 codes far more pixels than the image announces.

        Otherwise 1 KB could make libavif decode 268 million pixels for a thumbnail, or enlarge a
        thumbnail to that size.
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
        """Return a file with only this image."""
        return heif.write(self._data, [self._strip_item(item) for item in self._items])

    def _strip_item(self, item: heif.Item) -> heif.Item:
        """Return an item with only the properties and references that decoding needs."""
        unknown = [
            name
            for (name, _), essential in item.properties
            if essential and name not in _KNOWN_PROPERTIES
        ]
        if unknown:
            raise DamagedImage("The AVIF has an unknown property that is marked as essential.")
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
