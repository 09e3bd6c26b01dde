"""Parts of image files, to build damaged ones."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
EOI = b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Return a JPEG with these segments after its first marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def with_frame_size(jpeg: bytes, width: int, height: int) -> bytes:
    """Return a JPEG whose frame header announces another size."""
    at = min(at for marker in (0xC0, 0xC2) if (at := jpeg.find(bytes((0xFF, marker)))) > 0)
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def with_scans(progressive_jpeg: bytes, scans: int) -> bytes:
    """Return a progressive JPEG with this many scans, the last one being repeated."""
    first = progressive_jpeg[: -len(EOI)]
    last = first[first.rindex(b"\xff\xda") :]
    return first + last * (scans - first.count(b"\xff\xda")) + EOI


def chunk(name: bytes, body: bytes = b"") -> bytes:
    """Return a chunk of a PNG."""
    checksum = zlib.crc32(name + body)
    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", checksum)


def png_header(
    width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0
) -> bytes:
    """Return only a PNG's signature and header."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return PNG_SIGNATURE + chunk(b"IHDR", header)


def png(header: bytes, rows: bytes, *extra: bytes) -> bytes:
    """Return a PNG of a header, of rows that each begin with their filter, and other chunks."""
    return header + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Return a PNG with these chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def webp_chunk(name: bytes, body: bytes = b"") -> bytes:
    """Return a chunk of a WebP."""
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def webp(*chunks: bytes) -> bytes:
    """Return a WebP of these chunks."""
    return webp_chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def webp_canvas(width: int, height: int, flags: int = 0) -> bytes:
    """Return the chunk VP8X."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunk(b"VP8X", struct.pack("<I", flags) + sides)


def webp_frame(image: bytes, width: int, height: int, left: int = 0, top: int = 0) -> bytes:
    """Return a frame of an animation, of a still WebP; left and top are even."""
    numbers = left // 2, top // 2, width - 1, height - 1, 0
    head = b"".join(number.to_bytes(3, "little") for number in numbers) + b"\0"
    first = 30 if image[12:16] == b"VP8X" else 12
    return webp_chunk(b"ANMF", head + image[first:])


def box(name: bytes, body: bytes = b"") -> bytes:
    """Return a box of an AVIF."""
    return struct.pack(">I4s", len(body) + 8, name) + body


def contents(avif: bytes, name: bytes) -> bytes:
    """Return the contents of the first box of this name."""
    at = avif.index(name) + 4
    return avif[at : at - 8 + int.from_bytes(avif[at - 8 : at - 4])]


def ispe(width: int, height: int) -> bytes:
    """Return the box that announces a size."""
    return box(b"ispe", struct.pack(">III", 0, width, height))


ALPHA = box(b"auxC", b"\0\0\0\0urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")


def grid(rows: int, columns: int, width: int, height: int) -> bytes:
    """Return the contents of a grid item."""
    return struct.pack(">4BII", 0, 1, rows - 1, columns - 1, width, height)


@dataclass(frozen=True)
class Item:
    """An item of an AVIF: its type, its contents, and its properties as boxes."""

    item_type: bytes
    contents: bytes
    properties: tuple[bytes, ...] = ()


def av1(avif: bytes, width: int, height: int, *properties: bytes) -> Item:
    """Return what an AVIF codes as an item that announces a size."""
    described = ispe(width, height), box(b"av1C", contents(avif, b"av1C"))
    return Item(b"av01", contents(avif, b"mdat"), (*described, *properties))


def hevc(heic: bytes, width: int, height: int, *properties: bytes) -> Item:
    """Return what a HEIC codes as an item that announces a size."""
    described = ispe(width, height), box(b"hvcC", contents(heic, b"hvcC"))
    return Item(b"hvc1", contents(heic, b"mdat"), (*described, *properties))


def reference(name: bytes, source: int, *targets: int) -> bytes:
    """Return a box of `iref`."""
    count = len(targets)
    return box(name, struct.pack(f">HH{count}H", source, count, *targets))


def infe(number: int, item_type: bytes) -> bytes:
    """Return a box of `iinf`."""
    return box(b"infe", struct.pack(">IHH4sx", 2 << 24, number, 0, item_type))


def heic(items: Sequence[Item], references: bytes = b"", **boxes: bytes) -> bytes:
    """Return a HEIC, as ``avif`` does."""
    return avif(items, references, **boxes).replace(b"avif\0\0\0\0avif", b"heic\0\0\0\0heic", 1)


def avif(items: Sequence[Item], references: bytes = b"", **boxes: bytes) -> bytes:
    """Return an AVIF of items, numbered from 1; the first is the primary one.

    `boxes` are contents that replace boxes of `meta` or add new ones.
    """
    properties = list(dict.fromkeys(p for item in items for p in item.properties))
    types, associations, extents, data = b"", b"", b"", b""
    for number, item in enumerate(items, 1):
        types += infe(number, item.item_type)
        numbers = bytes(properties.index(p) + 1 for p in item.properties)
        associations += struct.pack(">HB", number, len(numbers)) + numbers
        extents += struct.pack(">HHHHII", number, 1, 0, 1, len(data), len(item.contents))
        data += item.contents
    count = len(items)
    ipma = box(b"ipma", struct.pack(">II", 0, count) + associations)
    meta = {
        "hdlr": bytes(8) + b"pict" + bytes(13),
        "pitm": struct.pack(">IH", 0, 1),
        "iinf": struct.pack(">IH", 0, count) + types,
        "iref": bytes(4) + references,
        "iprp": box(b"ipco", b"".join(properties)) + ipma,
        "iloc": struct.pack(">IHH", 1 << 24, 0x4400, count) + extents,
        "idat": data,
    } | boxes
    described = b"".join(box(name.encode(), body) for name, body in meta.items())
    ftyp = box(b"ftyp", b"avif\0\0\0\0avifmif1miaf")
    return ftyp + box(b"meta", bytes(4) + described)


def with_announced_size(avif: bytes, width: int, height: int) -> bytes:
    """Return an AVIF that announces another size than its AV1 has."""
    at = avif.index(b"ispe") + 8
    return avif[:at] + struct.pack(">II", width, height) + avif[at + 8 :]


def without_timestamps(avif: bytes) -> bytes:
    """Return an animated AVIF without creation times."""
    for name in b"mvhd", b"tkhd", b"mdhd":
        at = avif.index(name) + 8
        avif = avif[:at] + bytes(16) + avif[at + 16 :]
    return avif


def exif(entries: int, value_bytes: int, padding: int) -> bytes:
    """Return EXIF data whose entries all point to the same bytes, of which there are `padding`."""
    start = 14 + 12 * entries
    tags = b"".join(struct.pack(">HHII", 0x8000 + n, 7, value_bytes, start) for n in range(entries))
    head = struct.pack(">2sHIH", b"MM", 42, 8, entries)
    return b"Exif\0\0" + head + tags + bytes(4 + padding)


def with_right_checksums(png: bytes) -> bytes:
    """Return a damaged PNG with recomputed chunk checksums."""
    mended, position = bytearray(png), len(PNG_SIGNATURE)
    while position + 12 <= len(png):
        end = position + 8 + int.from_bytes(png[position : position + 4])
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(png[position + 4 : end]))
        position = end + 4
    return bytes(mended[: len(png)])
