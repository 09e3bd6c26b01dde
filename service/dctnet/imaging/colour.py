"""Colours that a file describes by numbers instead of an ICC profile.

SDR becomes an ICC profile, which LittleCMS evaluates. HDR is tone-mapped to SDR by the EETF of
ITU-R BT.2390-11, 5.4.1. Code points are those of ITU-T H.273.
"""

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dctnet.arrays import Pixels

Doubles = NDArray[np.float64]

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""CIE 1931 x and y of red, green, blue and white."""

_D65: Final = (0.3127, 0.3290)
_BT709: Final = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
_BT2020: Final = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)

PRIMARIES: Final[dict[int, Chromaticities]] = {
    1: _BT709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    9: _BT2020,
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
}


class Curve(NamedTuple):
    """Transfer function of ICC: (a x + b)^gamma from d on, and c x below."""

    gamma: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0


SRGB_CURVE: Final = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

BT1886_CURVE: Final = Curve(2.4)
"""What displays make of the curves of cameras (ITU-R BT.1886)."""

_CAMERA_CURVES: Final = frozenset({1, 6, 14, 15})
"""BT.709, BT.601 and BT.2020. Programs disagree about what they mean in images."""

CURVES: Final[dict[int, Curve]] = {
    4: Curve(2.2),
    5: Curve(2.8),
    8: Curve(1.0),
    13: SRGB_CURVE,
}

PQ, HLG = 16, 18
HDR: Final = frozenset({PQ, HLG})

PEAK_NITS: Final = 1000.0
"""Luminance of the brightest pixels of HDR, which files rarely state."""

WHITE_NITS: Final = 400.0
"""Luminance that becomes white: about twice that of white paper in HDR (203, ITU-R BT.2408), which
leaves room for highlights, as in Chromium."""


TONES: Final = 1024
"""Entries of the table of the tone curve, in equal steps of PQ."""


class Coding(NamedTuple):
    """How the values of an HDR image code its colours."""

    primaries: Chromaticities
    transfer: int


def coding(primaries: int, transfer: int) -> Coding | None:
    """Return the coding of HDR with these code points; None for SDR or unknown ones."""
    if transfer not in HDR or primaries not in PRIMARIES:
        return None
    return Coding(PRIMARIES[primaries], transfer)


def coded_profile(primaries: int, transfer: int, *, camera: Curve, grey: bool = False) -> bytes:
    """Return an ICC profile of SDR with these code points; empty for sRGB or unknown ones.

    ``camera`` is what the curves of cameras mean.
    """
    curve = camera if transfer in _CAMERA_CURVES else CURVES.get(transfer)
    if primaries not in PRIMARIES or curve is None:
        return b""
    return profile(PRIMARIES[primaries], curve, grey=grey)


def profile(primaries: Chromaticities | None, curve: Curve | None, *, grey: bool) -> bytes:
    """Return an ICC profile, version 4, of sRGB's where None; empty if it is sRGB."""
    primaries, curve = primaries or _BT709, curve or SRGB_CURVE
    if (primaries == _BT709 or grey) and curve == SRGB_CURVE:
        return b""
    tags = {b"desc": b"mluc" + struct.pack(">4xIIH2sII", 1, 12, 0x656E, b"US", 2, 28) + b"\0c"}
    parameters = (0, curve.gamma) if curve[1:] == (1.0, 0.0, 0.0, 0.0) else (3, *curve)
    para = b"para" + struct.pack(">4xHxx", int(parameters[0])) + _fixed(*parameters[1:])
    if grey:
        tags[b"kTRC"] = para
    else:
        columns = _to_xyz_d50(primaries).T
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True):
            tags[name] = b"XYZ \0\0\0\0" + _fixed(*column)
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), para)
    return _file(b"GRAY" if grey else b"RGB ", tags)


def _fixed(*values: float) -> bytes:
    """Return numbers as s15Fixed16Number."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _file(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, contents in tags.items():
        table += struct.pack(">4sII", name, offset + len(data), len(contents))
        data += contents + bytes(-len(contents) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12x4s4x",
        offset + len(data),
        bytes(4),
        0x04300000,
        b"mntr",
        space,
        b"XYZ ",
        b"acsp",
    )
    header += bytes(68 - len(header)) + _fixed(0.9642, 1.0, 0.8249)
    return header + bytes(128 - len(header)) + table + data


_BRADFORD: Final = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50: Final = np.array([0.9642, 1.0, 0.8249])


def _to_xyz(primaries: Chromaticities) -> Doubles:
    """Return the matrix from linear RGB to CIE XYZ, with a luminance of 1 for white."""
    points = np.array(primaries).reshape(4, 2)
    xyz = np.column_stack([points, 1 - points.sum(axis=1)]) / points[:, 1:]
    matrix: Doubles = xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3])
    return matrix


def _to_xyz_d50(primaries: Chromaticities) -> Doubles:
    matrix = _to_xyz(primaries)
    white = matrix.sum(axis=1)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adapted: Doubles = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix
    return adapted


def tone_mapper(hdr: Coding) -> Callable[[Image.Image], Image.Image]:
    """Return a function that tone-maps RGB images to sRGB."""
    to_srgb = (np.linalg.inv(_to_xyz(_BT709)) @ _to_xyz(hdr.primaries)).astype(np.float32)
    levels = np.arange(256) / 255
    light_of = _pq_to_nits if hdr.transfer == PQ else _hlg_to_light
    light_of_level = light_of(levels).astype(np.float32)
    weights = _to_xyz(hdr.primaries)[1].astype(np.float32)
    nits = _pq_to_nits(np.linspace(0, 1, TONES))
    scales = _eetf(nits) / np.maximum(nits, 1e-4) / WHITE_NITS

    def tone_map(image: Image.Image) -> Image.Image:
        light = light_of_level[np.asarray(image.convert("RGB"))]
        if hdr.transfer == HLG:  # The system gamma of a display of 1000 nits, on luminance.
            luminance = np.maximum(light @ weights, np.float32(1e-6))
            light *= (PEAK_NITS * luminance ** np.float32(0.2))[..., np.newaxis]
        brightest = light.max(axis=2)
        light *= np.interp(brightest, nits, scales).astype(np.float32)[..., np.newaxis]
        linear = np.clip(light @ to_srgb.T, 0, 1)
        return Image.fromarray(_SRGB_LEVELS[(linear * (len(_SRGB_LEVELS) - 1)).astype(np.int32)])

    return tone_map


def _pq_to_nits(values: Doubles) -> Doubles:
    """Return the luminance of PQ values (SMPTE ST 2084)."""
    power = np.power(values, 1 / 78.84375)
    nits: Doubles = 1e4 * np.power(
        np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power), 1 / 0.1593017578125
    )
    return nits


def _nits_to_pq(nits: Doubles) -> Doubles:
    power = np.power(nits / 1e4, 0.1593017578125)
    values: Doubles = np.power((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power), 78.84375)
    return values


def _hlg_to_light(values: Doubles) -> Doubles:
    """Return the scene light of HLG values, 0 to 1 (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light: Doubles = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    return light


def _eetf(nits: Doubles) -> Doubles:
    """Map luminance from ``PEAK_NITS`` to ``WHITE_NITS``."""
    source, target = _nits_to_pq(np.array([PEAK_NITS, WHITE_NITS]))
    peak = target / source
    knee = 1.5 * peak - 0.5
    e = np.minimum(_nits_to_pq(nits) / source, 1)
    t = (e - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * peak
    )
    mapped: Doubles = _pq_to_nits(np.where(e < knee, e, spline) * source)
    return mapped


def _srgb_levels() -> Pixels:
    linear = np.arange(4096) / 4095
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    levels: Pixels = np.rint(255 * encoded).astype(np.uint8)
    return levels


_SRGB_LEVELS: Final = _srgb_levels()
"""sRGB levels of linear light, 0 to 1."""
