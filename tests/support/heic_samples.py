"""HEIC files: those in the folder ``heic``, and containers around their coded images."""

from functools import cache
from pathlib import Path

import pytest

from tests.support import formats as f

try:
    import pi_heif as _pi_heif
except ImportError:
    _pi_heif = None

needs_decoder = pytest.mark.skipif(_pi_heif is None, reason="pi-heif is not installed")

SIDE = 64
"""Height and width of the coded image, in pixels."""


@cache
def heic_file(name: str) -> bytes:
    """Return a file of the folder."""
    return (Path(__file__).parent / "heic" / f"{name}.heic").read_bytes()


def tile(*properties: bytes, name: str = "gradient") -> f.Item:
    """Return the item of a file, by default of the gradient."""
    return f.hevc(heic_file(name), SIDE, SIDE, *properties)


def tiled(rows: int, columns: int, *properties: bytes, name: str = "gradient") -> bytes:
    """Return a grid of equal tiles, as phones store photos."""
    height, width = SIDE * rows, SIDE * columns
    grid = f.grid(rows, columns, width, height)
    whole = f.Item(b"grid", grid, (f.ispe(width, height), *properties))
    count = rows * columns
    references = f.reference(b"dimg", 1, *range(2, 2 + count))
    return f.heic([whole, *[tile(name=name)] * count], references)


def heic_kinds() -> dict[str, bytes]:
    """Return files of each kind, by name."""
    files = {name: heic_file(name) for name in ("gradient", "cropped", "transparent", "grey")}
    return files | {
        "10-bit": heic_file("10-bit"),
        "turned": f.heic([tile(f.box(b"irot", b"\1"))]),
        "mirrored": f.heic([tile(f.box(b"imir", b"\0"))]),
        "tiles": tiled(2, 3),
        "turned tiles": tiled(2, 3, f.box(b"irot", b"\3")),
        "collection": f.heic([tile(), tile(), tile()]),
        "Display P3": f.heic([tile(f.box(b"colr", b"nclx\0\x0c\0\x0d\0\1\x80"))]),
        "PQ": f.heic([tile(f.box(b"colr", b"nclx\0\x09\0\x10\0\x09\x80"))]),
    }
