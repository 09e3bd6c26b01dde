"""Building blocks of ICC profiles, ordinary and hostile."""

import struct
from typing import Any

from PIL import ImageCms

CHANNELS = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}
"""Number of channels by colour space."""


def srgb() -> bytes:
    return _undated(ImageCms.createProfile("sRGB"))


def lab() -> bytes:
    return _undated(ImageCms.createProfile("LAB"))


def _undated(profile: Any) -> bytes:
    """Return the bytes of a profile without its date, for reproducible tests."""
    dated = ImageCms.ImageCmsProfile(profile).tobytes()
    return dated[:24] + bytes(12) + dated[36:]


def red_and_blue_exchanged() -> bytes:
    """Return sRGB with red and blue swapped, under another name."""
    exchanged = srgb().replace("sRGB".encode("utf-16-be"), "sBGR".encode("utf-16-be"))
    for old, new in ((b"rXYZ", b"----"), (b"bXYZ", b"rXYZ"), (b"----", b"bXYZ")):
        exchanged = exchanged.replace(old, new)
    return exchanged


def linear_grey() -> bytes:
    """Return a linear grey profile."""
    return profile(b"GRAY", {b"kTRC": curve()}, version=4)


def profile(
    colour_space: bytes,
    tags: dict[bytes, bytes],
    *,
    device_class: bytes = b"mntr",
    connection_space: bytes = b"XYZ ",
    version: int = 2,
) -> bytes:
    """Return a profile with these tags; equal tag data is stored once."""
    start = 128 + 4 + 12 * len(tags)
    table, data = b"", b""
    offsets: dict[bytes, int] = {}
    for name, body in tags.items():
        if body not in offsets:
            offsets[body] = start + len(data)
            data += body + bytes(-len(body) % 4)
        table += struct.pack(">4sII", name, offsets[body], len(body))
    header = struct.pack(
        ">I4xB3x4s4s4s12x4s28x3I48x",
        *(start + len(data), version, device_class, colour_space, connection_space),
        *(b"acsp", 0xF6D6, 0x10000, 0xD32D),
    )
    return header + struct.pack(">I", len(tags)) + table + data


def curve(*points: int) -> bytes:
    """Return a `curv` of 16-bit points; without points it is the identity."""
    return b"curv" + struct.pack(f">4xI{len(points)}H", len(points), *points)


def gamma(exponent: float) -> bytes:
    return b"curv" + struct.pack(">4xIH", 1, round(exponent * 256))


def parametric(*parameters: float) -> bytes:
    """Return a `para` curve with 1, 3, 4, 5 or 7 parameters."""
    kind = {1: 0, 3: 1, 4: 2, 5: 3, 7: 4}[len(parameters)]
    return b"para" + struct.pack(">4xHxx", kind) + b"".join(map(fixed, parameters))


def fixed(value: float) -> bytes:
    """Return a number as s15Fixed16."""
    return struct.pack(">i", round(value * 65536))


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))


def description(text: str, version: int = 2) -> bytes:
    if version < 4:
        name = text.encode() + b"\0"
        return b"desc" + struct.pack(">4xI", len(name)) + name + bytes(78)
    name = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", len(name), 28) + name


def matrix_tags(
    primaries: tuple[tuple[float, float, float], ...], trc: bytes
) -> dict[bytes, bytes]:
    """Return the tags of a matrix RGB profile: XYZ primaries and one curve."""
    columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), trc)
    return {name: xyz(*values) for name, values in columns} | curves


def lut8(inputs: int, grid: int, clut: bytes, *, outputs: int = 3) -> bytes:
    """Return an 8-bit lookup table (`mft1`) with identity matrix and curves."""
    straight = bytes(range(256))
    head = _lut_head(b"mft1", inputs, outputs, grid)
    return head + straight * inputs + clut + straight * outputs


def lut16(inputs: int, grid: int, clut: bytes, *, outputs: int = 3, entries: int = 2) -> bytes:
    """Return a 16-bit lookup table (`mft2`) with curves of ``entries`` points."""
    points = [65535 * n // (entries - 1) for n in range(entries)]
    straight = struct.pack(f">{entries}H", *points)
    head = _lut_head(b"mft2", inputs, outputs, grid) + struct.pack(">HH", entries, entries)
    return head + straight * inputs + clut + straight * outputs


def _lut_head(kind: bytes, inputs: int, outputs: int, grid: int) -> bytes:
    identity = b"".join(map(fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    return kind + struct.pack(">4x3Bx", inputs, outputs, grid) + identity


def lut_a_to_b(
    inputs: int,
    grid: bytes,
    clut: bytes,
    *,
    curves: bytes | None = None,
    outputs: int = 3,
    precision: int = 1,
) -> bytes:
    """Return a lookup table (`mAB`); all its curves are ``curves``, identities if None."""
    curves = curve() if curves is None else curves
    curves += bytes(-len(curves) % 4)
    matrix = b"".join(map(fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)))
    a_curves, b_curves = curves * inputs, curves * outputs
    matrix_at = 32
    a_at = matrix_at + len(matrix)
    b_at = a_at + len(a_curves)
    clut_at = b_at + len(b_curves)
    head = struct.pack(
        ">4s4xBBxx5I", b"mAB ", inputs, outputs, b_at, matrix_at, b_at, clut_at, a_at
    )
    table = grid.ljust(16, b"\0") + bytes((precision, 0, 0, 0)) + clut
    return head + matrix + a_curves + b_curves + table


def process_elements(channels: int, stages: int, segments: int = 1) -> bytes:
    """Return multiProcessElements (`mpet`) whose stages share the same bytes."""
    formula = b"parf" + struct.pack(">4xHxx4f", 0, 1.0, 1.0, 0.0, 0.0)
    breaks = struct.pack(f">{segments - 1}f", *range(segments - 1))
    segmented = b"curf" + struct.pack(">4xHxx", segments) + breaks + formula * segments
    curves_at = 12 + 8 * channels
    where = struct.pack(">II", curves_at, len(segmented)) * channels
    element = b"cvst" + struct.pack(">4xHH", channels, channels) + where + segmented
    head = b"mpet" + struct.pack(">4xHHI", channels, 3, stages)
    position = struct.pack(">II", len(head) + 8 * stages, len(element))
    return head + position * stages + element
