"""PNG files: chunks with name, length and checksum."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES, Container
from dctnet.imaging.errors import DamagedImage
from dctnet.imaging.exif import orientation

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_USEFUL: Final = frozenset({b"tRNS", b"iCCP", b"eXIf"})
_GREY, _RGB, _PALETTE = 0, 2, 3


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
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    kept = [_chunk(b"IHDR", header)]
    if b"PLTE" in chunks:
        kept.append(_chunk(b"PLTE", chunks[b"PLTE"]))
    if b"tRNS" in chunks:
        colours = len(chunks.get(b"PLTE", b"")) // 3
        kept.append(_chunk(b"tRNS", _adapt_trns(chunks[b"tRNS"], depth, colour, colours)))
    return Container(
        "PNG",
        width,
        height,
        data=b"".join((SIGNATURE, *kept, *_chunk_parts(b"IDAT", pixels), _chunk(b"IEND", b""))),
        profile=_inflate_profile(chunks.get(b"iCCP", b"")),
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


def _adapt_trns(body: bytes, depth: int, colour: int, colours: int) -> bytes:
    """Adapt a tRNS chunk to Pillow's pixels, which have at most 8 bits per channel.

    Args:
        body: Transparent shade or colour, or the alpha of each palette colour.
        depth: Bits per channel.
        colour: Colour type of the image header.
        colours: Number of palette colours.
    """
    if colour == _PALETTE:
        return body[:colours]
    if colour == _GREY and len(body) == 2 and depth in {1, 2, 4}:
        return struct.pack(">H", min(255, int.from_bytes(body) * 255 // (2**depth - 1)))
    if colour == _RGB and len(body) == 6 and depth == 16:
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
