"""PNG files: chunks with name, length and checksum."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from dctnet.imaging import colour
from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES, Container
from dctnet.imaging.errors import DamagedImage
from dctnet.imaging.exif import orientation

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_USEFUL: Final = frozenset({b"tRNS", b"eXIf", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"})
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6


_UNIT: Final = 100_000
"""What gAMA and cHRM call 1."""

_CICP_BYTES, _CHRM_BYTES = 4, 32
_MIN_GAMMA, _MAX_GAMMA = 0.1, 10.0
_SRGB_GAMMA, _GAMMA_TOLERANCE = 0.45455, 0.01
_MIN_AREA: Final = 0.01
"""Least area of the triangle of primaries, times two, for a matrix that can be inverted."""

_SAME: Final = 0.002
"""Largest difference of chromaticities that are the same, rounded by encoders."""

END: Final = b"\0\0\0\0IEND\xaeB`\x82"
"""The last chunk."""

Chunks = dict[bytes, bytes]
"""Contents of a file's chunks, by name."""


def read(data: bytes) -> Container:
    """Parse a PNG file; keep only what the pixels need, with all pixels in one chunk.

    Drops texts and animation frames: Pillow would inflate the former and seek through the latter,
    and is slow for a million empty chunks.

    Raises:
        DamagedImage: A chunk that the pixels need is damaged, missing or truncated, or there are
            more than ``MAX_CHUNKS``.
    """
    pixels: list[bytes] = []
    chunks: dict[bytes, bytes] = {}
    for name, body in _chunks(data):
        if not chunks and name != b"IHDR":
            raise DamagedImage("The PNG does not begin with its header.")
        if name == b"IDAT":
            pixels.append(body)
        elif name not in chunks:
            chunks[name] = body
        elif name in _CRITICAL:
            raise DamagedImage(f"The PNG has two chunks {name.decode()}.")
    header = chunks.get(b"IHDR", b"")
    if len(header) != 13 or not pixels:
        raise DamagedImage("The PNG has no header or no pixels.")
    width, height, depth, colour_type = struct.unpack_from(">IIBB", header)
    kept = [_chunk(b"IHDR", header)]
    if b"PLTE" in chunks:
        kept.append(_chunk(b"PLTE", chunks[b"PLTE"]))
    if b"tRNS" in chunks:
        colours = len(chunks.get(b"PLTE", b"")) // 3
        kept.append(_chunk(b"tRNS", _adapt_trns(chunks[b"tRNS"], depth, colour_type, colours)))
    return Container(
        "PNG",
        width,
        height,
        data=b"".join((SIGNATURE, *kept, *_chunk_parts(b"IDAT", pixels), END)),
        profile=_profile(chunks, grey=colour_type in {_GREY, _GREY_ALPHA}),
        hdr=_hdr(chunks),
        orientation=orientation(chunks.get(b"eXIf", b"")),
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and contents of each known chunk, up to IEND or the end of the file."""
    position = len(SIGNATURE)
    chunks = 0
    while position + 8 <= len(data):  # Some files have no IEND.
        length, name = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 12 + length
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise DamagedImage(f"The PNG has more than {MAX_CHUNKS} chunks.")
        if end > len(data):
            raise DamagedImage("The PNG is damaged or cut off.")
        position = end
        if name in _CRITICAL or name in _USEFUL:
            body = data[start : end - 4]
            if zlib.crc32(body, zlib.crc32(name)) == int.from_bytes(data[end - 4 : end]):
                yield name, body
            elif name in _CRITICAL:
                raise DamagedImage(f"The PNG's chunk {name.decode()} is damaged.")
        elif name[:1] < b"a":  # Upper case: a critical chunk.
            raise DamagedImage("The PNG has an unknown critical chunk.")
        if name == b"IEND":
            return


def head(width: int, height: int, *, transparent: bool) -> bytes:
    """Return signature and header of a file with 8 bits per channel, RGB or RGBA."""
    colour_type = _RGBA if transparent else _RGB
    return SIGNATURE + _chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    )


def idat(deflated: bytes) -> bytes:
    """Return a chunk of compressed pixels, or nothing for none."""
    return _chunk(b"IDAT", deflated) if deflated else b""


def _chunk(name: bytes, body: bytes) -> bytes:
    return b"".join(_chunk_parts(name, [body]))


def _chunk_parts(name: bytes, bodies: Sequence[bytes]) -> Iterator[bytes]:
    """Yield a chunk in pieces, so that its body is copied only once."""
    yield struct.pack(">I4s", sum(map(len, bodies)), name)
    checksum = zlib.crc32(name)
    for body in bodies:
        checksum = zlib.crc32(body, checksum)
        yield body
    yield struct.pack(">I", checksum)


def _hdr(chunks: Chunks) -> colour.Coding | None:
    cicp = chunks.get(b"cICP", b"")
    return colour.coding(cicp[0], cicp[1]) if len(cicp) == _CICP_BYTES else None


def _profile(chunks: Chunks, *, grey: bool) -> bytes:
    """Return the ICC profile of the first kind of chunk that counts (PNG, third edition, 4.3)."""
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == _CICP_BYTES and cicp[0] in colour.PRIMARIES:
        return colour.coded_profile(*cicp[:2], camera=colour.BT1886_CURVE, grey=grey)
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return _inflate_profile(chunks.get(b"iCCP", b""))
    gamma = int.from_bytes(chunks.get(b"gAMA", b"")[:4]) / _UNIT
    curve = colour.Curve(1 / gamma) if _MIN_GAMMA <= gamma <= _MAX_GAMMA else None
    if curve is not None and abs(gamma - _SRGB_GAMMA) < _GAMMA_TOLERANCE:
        curve = None  # What encoders write for sRGB.
    return colour.profile(_chromaticities(chunks.get(b"cHRM", b"")), curve, grey=grey)


def _chromaticities(chrm: bytes) -> colour.Chromaticities | None:
    """Return the primaries of a cHRM chunk, None if they are damaged or sRGB's."""
    if len(chrm) != _CHRM_BYTES:
        return None
    white_x, white_y, *others = (value / _UNIT for value in struct.unpack(">8I", chrm))
    red_x, red_y, green_x, green_y, blue_x, blue_y = others
    primaries = red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y
    area = (green_x - red_x) * (blue_y - red_y) - (blue_x - red_x) * (green_y - red_y)
    if not all(0 < value < 1 for value in primaries) or abs(area) < _MIN_AREA:
        return None
    srgb = colour.PRIMARIES[1]
    near = all(abs(a - b) < _SAME for a, b in zip(primaries, srgb, strict=True))
    return None if near else primaries


def _adapt_trns(body: bytes, depth: int, colour_type: int, colours: int) -> bytes:
    """Adapt a tRNS chunk to Pillow's pixels, which have at most 8 bits per channel.

    Args:
        body: Transparent shade or colour, or the alpha of each palette colour.
        depth: Bits per channel.
        colour_type: Colour type of the image header.
        colours: Number of palette colours.
    """
    if colour_type == _PALETTE:
        return body[:colours]
    if colour_type == _GREY and len(body) == 2 and depth in {1, 2, 4}:
        return struct.pack(">H", min(255, int.from_bytes(body) * 255 // (2**depth - 1)))
    if colour_type == _RGB and len(body) == 6 and depth == 16:
        return struct.pack(">3H", *(value >> 8 for value in struct.unpack(">3H", body)))
    return body


def _inflate_profile(body: bytes) -> bytes:
    """Inflate the profile of an iCCP chunk: name, zero, method, deflated bytes."""
    _, _, rest = body.partition(b"\0")
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(rest[1:], MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return b""
    return profile if inflater.eof and len(profile) <= MAX_PROFILE_BYTES else b""
