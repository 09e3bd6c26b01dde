"""ICC input profiles, restricted to tags that LittleCMS evaluates at a bounded cost.

The names of header fields, tags and tag types are those of the ICC specification, ICC.1:2022.
"""

import struct
from math import prod
from typing import Final

MAX_CLUT_VALUES: Final = 1 << 20
"""Limit of values in a colour lookup table. A CMYK profile with a 21-point grid has 583,443, an RGB
profile with a 65-point grid 823,875."""

MAX_COST_BYTES: Final = 32 * 1024 * 1024
"""Upper bound of LittleCMS's memory for a restricted profile and its copies of the file."""

MAX_DESCRIPTION_BYTES: Final = 64 * 1024
"""Size limit of the description: one sentence in each of about 100 languages."""

_COLOUR_SPACES: Final = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
_CHANNELS: Final = {"RGB": 3, "L": 1, "CMYK": 4}

# Images never embed device links, abstract or named-colour profiles. Old encoders wrote zeros.
_DEVICE_CLASSES: Final = frozenset({b"scnr", b"mntr", b"prtr", b"spac", b"\0\0\0\0"})
_CONNECTION_SPACES: Final = frozenset({b"XYZ ", b"Lab "})

_LUT_TAGS: Final = frozenset({b"A2B0", b"A2B1"})
_TAGS: Final = _LUT_TAGS | {
    *(b"desc", b"kTRC", b"rTRC", b"gTRC", b"bTRC", b"rXYZ", b"gXYZ", b"bXYZ"),
}
"""Tags that LittleCMS reads of an input profile: A2B0 for the perceptual intent, A2B1 for the black
point, or curves and matrix. White points matter only for absolute intents."""

_HEADER_BYTES: Final = 128
_CONNECTION_CHANNELS: Final = 3
_MAX_TAGS: Final = 100
"""Limit of tags that LittleCMS accepts."""


def restrict(profile: bytes, mode: str) -> bytes:
    """Return a profile for images of a mode (L, RGB or CMYK), reduced to the tags in use.

    Empty if LittleCMS could not convert from the profile at a bounded cost.

    All other tags are removed, mainly D2B0 to D2B3: LittleCMS prefers these multiProcessElements to
    A2B0, and 1 KB of them can list 10,000 stages. Conversion then uses A2B0, which the
    specification requires in each such profile.
    """
    try:
        return _restrict(profile, mode)
    except struct.error:  # Truncated.
        return b""


def _restrict(profile: bytes, mode: str) -> bytes:
    device_class, colour_space, connection_space = struct.unpack_from(">4s4s4s", profile, 12)
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    if (
        device_class not in _DEVICE_CLASSES
        or colour_space != _COLOUR_SPACES[mode]
        or connection_space not in _CONNECTION_SPACES
        or count > _MAX_TAGS
    ):
        return b""
    table = bytearray()
    start = _HEADER_BYTES + 4
    for name, offset, size in struct.iter_unpack(">4sII", profile[start : start + 12 * count]):
        if name in _LUT_TAGS and not _is_lut_bounded(profile, offset, _CHANNELS[mode]):
            return b""
        needed = name in _TAGS and (name != b"desc" or size <= MAX_DESCRIPTION_BYTES)
        # LittleCMS skips an entry without offset. Tag data is not moved, because LittleCMS reads
        # beyond its end and shares data that several entries point to.
        table += struct.pack(">4sII", name, offset, size) if needed else bytes(12)
    return profile[:start] + table + profile[start + len(table) :]


def _is_lut_bounded(profile: bytes, offset: int, channels: int) -> bool:
    """Return whether a table has these input channels and at most ``MAX_CLUT_VALUES``."""
    kind, inputs, outputs, points = struct.unpack_from(">4s4x3B", profile, offset)
    if (inputs, outputs) != (channels, _CONNECTION_CHANNELS):
        return False
    if kind in {b"mft1", b"mft2"}:
        return _clut_values([points] * channels) <= MAX_CLUT_VALUES
    if kind == b"mAB ":
        (clut,) = struct.unpack_from(">I", profile, offset + 24)
        if not clut:
            return True
        grid = struct.unpack_from(f">{channels}B", profile, offset + clut)
        return _clut_values(grid) <= MAX_CLUT_VALUES
    return False


def _clut_values(grid: list[int] | tuple[int, ...]) -> int:
    return prod(grid) * _CONNECTION_CHANNELS
