"""Generated ICC profiles: ordinary ones, and ones that are costly to evaluate."""

import functools
import itertools
import random
from collections.abc import Iterator

from dctnet.imaging.icc import MAX_CLUT_VALUES
from tests.support import profiles as p

SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
"""Colour space by image mode."""

MAX_CURVE_POINTS = 0x7FFF
"""Maximum number of curve points that LittleCMS reads."""

SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
PROPHOTO_RGB = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
"""XYZ of the red, green and blue primaries, adapted to D50."""

SRGB_CURVE = p.parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@functools.cache
def ordinary_profiles() -> dict[str, tuple[str, bytes]]:
    """Return profiles of cameras, displays and presses by name, each with its image mode.

    Primaries and curves are the published ones; the colours of inks are approximate.
    """
    return {
        f"{name}, version {version}": (mode, profile)
        for version in (2, 4)
        for family in (_matrices, _greys, _presses, _tables)
        for name, mode, profile in family(version)
    }


Named = Iterator[tuple[str, str, bytes]]


def _described(name: str, version: int) -> dict[bytes, bytes]:
    """Return the tags of every profile: description and white point."""
    return {b"desc": p.description(name, version), b"wtpt": p.xyz(0.9642, 1.0, 0.8249)}


def _points(exponent: float, count: int = 1024) -> bytes:
    return p.curve(*(round(65535 * (n / (count - 1)) ** exponent) for n in range(count)))


def _matrices(version: int) -> Named:
    for name, primaries, trc in (
        ("sRGB-like", SRGB, SRGB_CURVE),
        ("Display P3", DISPLAY_P3, SRGB_CURVE),
        ("Adobe RGB", ADOBE_RGB, p.gamma(563 / 256)),
        ("ProPhoto RGB", PROPHOTO_RGB, p.gamma(1.8)),
        ("RGB of a scanner", ADOBE_RGB, _points(2.2)),
    ):
        # Not named sRGB: such profiles are not converted.
        tags = _described(f"The {name}", version) | p.matrix_tags(primaries, trc)
        yield name, "RGB", p.profile(b"RGB ", tags, version=version)


def _greys(version: int) -> Named:
    for name, trc, space in (
        ("grey of gamma 2.2", p.gamma(2.2), b"XYZ "),
        ("grey of a dot gain", _points(1.75), b"XYZ "),
        ("grey of lightness", p.curve(), b"Lab "),
    ):
        tags = _described(name, version) | {b"kTRC": trc}
        yield name, "L", p.profile(b"GRAY", tags, connection_space=space, version=version)


def _presses(version: int) -> Named:
    for name, lut in (
        ("CMYK like FOGRA", p.lut16(4, 9, _inks(9, 0.9, bytes_each=2), entries=256)),
        ("CMYK like SWOP", p.lut8(4, 9, _inks(9, 0.8))),
        ("CMYK of version 4", p.lut_a_to_b(4, bytes([9] * 4), _inks(9, 0.7), curves=_points(1.2))),
    ):
        other = p.lut8(4, 5, _inks(5, 1.0))
        tags = _described(name, version) | {b"A2B0": lut, b"A2B1": other, b"A2B2": other}
        yield name, "CMYK", _table(b"CMYK", tags, version)


def _inks(grid: int, ink: float, bytes_each: int = 1) -> bytes:
    """Return Lab values for a grid of CMYK ink mixtures."""
    levels = [ink * n / (grid - 1) for n in range(grid)]
    lab = bytearray()
    for cyan, magenta, yellow, black in itertools.product(levels, repeat=4):
        paper = 1 - black
        lightness = 255 * paper * (1 - 0.4 * cyan) * (1 - 0.5 * magenta) * (1 - 0.1 * yellow)
        red = 128 + paper * (75 * magenta - 35 * cyan)
        blue = 128 + paper * (90 * yellow - 50 * cyan)
        lab += b"".join(bytes([round(value)] * bytes_each) for value in (lightness, red, blue))
    return bytes(lab)


def _tables(version: int) -> Named:
    def table(grid: bytes, seed: int) -> bytes:
        values = grid[0] * grid[1] * grid[2] * 3
        return p.lut_a_to_b(3, grid, random.Random(seed).randbytes(values), curves=_points(1.1, 17))

    tables = {b"A2B0": table(b"\5\6\7", 0), b"A2B1": table(b"\4\4\4", 1)}
    matrix = p.matrix_tags(SRGB, SRGB_CURVE)
    for name, tags in ("RGB of tables", tables), ("RGB of tables and a matrix", tables | matrix):
        yield name, "RGB", _table(b"RGB ", _described(name, version) | tags, version)
    tags = _described("tables", version) | {b"kTRC": _points(2.2)}
    tags[b"A2B0"] = p.lut16(1, 33, random.Random(2).randbytes(33 * 3 * 2))
    yield "grey of tables", "L", _table(b"GRAY", tags, version)


def _table(space: bytes, tags: dict[bytes, bytes], version: int) -> bytes:
    return p.profile(space, tags, device_class=b"prtr", connection_space=b"Lab ", version=version)


@functools.cache
def costly_profiles(mode: str) -> dict[str, bytes]:
    """Return profiles of maximum cost for an image mode, or that claim a higher one."""
    space, channels = SPACES[mode], p.CHANNELS[SPACES[mode]]
    widest = {1: 255, 3: 255, 4: 96}[channels]
    saw = p.curve(*(0, 65535) * (MAX_CURVE_POINTS // 2))
    powers = p.parametric(32767.9, 0.1, 0.5, 0.3, 0.001, 0.1, 0.2)
    tables = {
        "a wide table": p.lut_a_to_b(channels, bytes([widest] * channels), b""),
        "a wide table of 16 bits": p.lut16(channels, widest, b""),
        "a wide table of 8 bits": p.lut8(channels, widest, b""),
        "a table of 15 channels": p.lut_a_to_b(15, b"\4" * 10 + b"\2" * 5, b""),
        "a table of 15 channels of 16 bits": p.lut16(15, 3, b""),
        "a table of 15 channels of 8 bits": p.lut8(15, 3, b""),
        "curves of too many points": _largest_table(channels, saw),
        "curves of powers": _largest_table(channels, powers),
    }
    tag_sets = {name: {b"A2B0": lut, b"A2B1": lut + b"\0"} for name, lut in tables.items()}
    stages, segments = (p.process_elements(channels, *size) for size in ((10_000,), (1000, 1000)))
    tag_sets |= {
        f"{tag} of 10,000 stages": {tag.encode(): stages} for tag in ("D2B0", "D2B1", "B2D0")
    }
    tag_sets["D2B0 of a million segments"] = {b"D2B0": segments}
    base = {"L": {b"kTRC": saw}, "RGB": p.matrix_tags(SRGB, saw)}.get(mode, {})
    return {
        f"{name}, version {version}": _table(space, base | tags, version)
        for version in (2, 4)
        for name, tags in tag_sets.items()
    }


def _largest_table(channels: int, curves: bytes) -> bytes:
    """Return the largest table that the service evaluates."""
    grid = next(grid for grid in range(255, 1, -1) if grid**channels * 3 <= MAX_CLUT_VALUES)
    clut = random.Random(0).randbytes(grid**channels * 3)
    return p.lut_a_to_b(channels, bytes([grid] * channels), clut, curves=curves)
