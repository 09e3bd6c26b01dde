"""The parts of which picture files consist, to build broken ones."""

import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
EOI = b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Return a JPEG with these segments right behind its first marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def with_frame_size(jpeg: bytes, width: int, height: int) -> bytes:
    """Return a JPEG whose frame header tells another size."""
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
    """Return a PNG's signature and header, with nothing behind them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return PNG_SIGNATURE + chunk(b"IHDR", header)


def png(header: bytes, rows: bytes, *extra: bytes) -> bytes:
    """Return a PNG of a header, of rows that each begin with their filter, and other chunks."""
    return header + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Return a PNG with these chunks right behind its header."""
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


def webp_frame(picture: bytes, width: int, height: int) -> bytes:
    """Return a frame of an animation, of the chunk of a still WebP."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunk(b"ANMF", bytes(6) + sides + bytes(4) + picture[12:])


def box(name: bytes, body: bytes = b"") -> bytes:
    """Return a box of an AVIF."""
    return struct.pack(">I4s", len(body) + 8, name) + body


def with_announced_size(avif: bytes, width: int, height: int) -> bytes:
    """Return an AVIF that announces another size than its AV1 has."""
    at = avif.index(b"ispe") + 8
    return avif[:at] + struct.pack(">II", width, height) + avif[at + 8 :]


def undated(avif: bytes) -> bytes:
    """Return an animated AVIF without the times at which it was made."""
    for name in b"mvhd", b"tkhd", b"mdhd":
        at = avif.index(name) + 8
        avif = avif[:at] + bytes(16) + avif[at + 16 :]
    return avif


def exif(entries: int, value_bytes: int, padding: int) -> bytes:
    """Return EXIF data with entries that all have the same bytes, of which there are `padding`."""
    start = 14 + 12 * entries
    tags = b"".join(struct.pack(">HHII", 0x8000 + n, 7, value_bytes, start) for n in range(entries))
    head = struct.pack(">2sHIH", b"MM", 42, 8, entries)
    return b"Exif\0\0" + head + tags + bytes(4 + padding)


def with_right_checksums(png: bytes) -> bytes:
    """Return a damaged PNG whose chunks have the checksums of what is now in them."""
    mended, position = bytearray(png), len(PNG_SIGNATURE)
    while position + 12 <= len(png):
        end = position + 8 + int.from_bytes(png[position : position + 4])
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(png[position + 4 : end]))
        position = end + 4
    return bytes(mended[: len(png)])
