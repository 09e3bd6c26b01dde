"""Broken, hostile and odd images, made by code, each with what may come of it."""

import functools
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dctnet.imaging import DamagedImage, ImageError, TooManyPixels, UnsupportedFormat
from dctnet.imaging.decode import MAX_SIDE
from dctnet.imaging.jpeg import MAX_SCANS, MAX_SEGMENTS
from tests.support import formats as f
from tests.support import profiles
from tests.support.encoded_images import encoded, gradient, of_kinds, without_adobe_marker

MAX_PIXELS = 1_000_000
"""The limit under which the samples are to be decoded."""

WIDTH, HEIGHT = 24, 40


@dataclass(frozen=True)
class Sample:
    """An image's bytes and what may come of them."""

    name: str
    data: bytes
    errors: frozenset[type[ImageError]] = frozenset()
    """As what it may be rejected; if nothing, it has to be decoded."""
    shapes: tuple[tuple[int, int], ...] = ((HEIGHT, WIDTH),)
    """What height and width it may have once decoded; if nothing, it has to be rejected."""


BROKEN = frozenset({DamagedImage})
LARGE = frozenset({TooManyPixels})
FOREIGN = frozenset({UnsupportedFormat})
ANY = frozenset({DamagedImage, TooManyPixels, UnsupportedFormat})

ANY_SHAPE: tuple[tuple[int, int], ...] = ((0, 0),)
"""Of what may be decoded to any shape."""

Made = Iterator[Sample]


@functools.cache
def corpus() -> tuple[Sample, ...]:
    """Return all samples; they are the same in every run."""
    return tuple(sample for family in FAMILIES for sample in family())


def _image(format: str, **options: object) -> bytes:
    return encoded(gradient(HEIGHT, WIDTH), format, **options)


def _rejected(name: str, data: bytes, errors: frozenset[type[ImageError]] = BROKEN) -> Sample:
    return Sample(name, data, errors, shapes=())


def whole() -> Made:
    for kind, data in of_kinds().items():
        yield Sample(f"whole {kind}", data)


_DAMAGED_KINDS = (
    "JPEG",
    "progressive JPEG",
    "CMYK JPEG",
    "turned JPEG",
    "PNG",
    "palette PNG with a transparent colour",
    "16-bit PNG with a transparent shade",
    "animated PNG",
    "WebP",
    "lossless WebP",
    "animated WebP",
    "AVIF",
    "transparent AVIF",
    "animated AVIF",
)


def cut_off() -> Made:
    for kind in _DAMAGED_KINDS:
        data = of_kinds()[kind]
        for length in 1, 3, 7, 11, 13, 29:
            yield _rejected(f"{kind} cut to {length} bytes", data[:length], BROKEN | FOREIGN)
        for share in 0.1, 0.3, 0.5, 0.7, 0.9:
            cut = data[: int(len(data) * share)]
            # What is cut off may be metadata, or the later frames of an animation.
            yield Sample(f"{kind} cut to {share:.0%}", cut, BROKEN)
        yield Sample(f"{kind} without its last byte", data[:-1], BROKEN)


def _flipped(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 4, 16))):
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _with_hole(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randrange(1, 64) :]


def _with_noise(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.randrange(1, 64)) + data[at:]


def damaged() -> Made:
    ways: tuple[tuple[str, Callable[[bytes, random.Random], bytes], int], ...] = (
        ("flipped bits", _flipped, 8),
        ("a hole", _with_hole, 4),
        ("noise inside", _with_noise, 4),
    )
    for kind in _DAMAGED_KINDS:
        for way, damage, seeds in ways:
            for seed in range(seeds):
                data = damage(of_kinds()[kind], random.Random(f"{kind} {way} {seed}"))
                # A header may be hit: any shape can come of it.
                yield Sample(f"{kind} with {way}, seed {seed}", data, ANY, ANY_SHAPE)


def sides() -> Made:
    jpeg, vp8, vp8l = _image("JPEG"), _image("WEBP"), _image("WEBP", lossless=True)
    avif = _image("AVIF")
    for width, height in (0, 0), (0, HEIGHT), (WIDTH, 0):
        sizes = f"of {width} x {height}"
        yield _rejected(f"JPEG {sizes}", f.with_frame_size(jpeg, width, height))
        yield _rejected(f"PNG {sizes}", f.png(f.png_header(width, height), bytes(99)))
        yield _rejected(f"WebP {sizes}", _with_vp8_size(vp8, width, height))
        yield _rejected(f"AVIF {sizes}", f.with_announced_size(avif, width, height))
    for width, height in (65535, 65535), (65500, 65500), (1001, 1000), (65535, 16):
        sizes = f"that announces {width} x {height}"
        yield _rejected(f"JPEG {sizes}", f.with_frame_size(jpeg, width, height), LARGE)
        yield _rejected(f"PNG {sizes}", f.png(f.png_header(width, height), bytes(99)), LARGE)
        yield _rejected(f"WebP {sizes}", f.webp(f.webp_canvas(width, height), vp8l[12:]), LARGE)
        # libavif has limits of its own.
        avif_like = f.with_announced_size(avif, width, height)
        yield _rejected(f"AVIF {sizes}", avif_like, LARGE | BROKEN)
    for width, height in (2**31 - 1, 1), (1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (MAX_SIDE + 1, 1):
        yield _rejected(f"PNG of {width} x {height}", f.png_header(width, height) + vp8)
        rows = f.png(f.png_header(width, height, 1, 0), bytes(MAX_SIDE // 8 + 2))
        yield _rejected(f"black PNG of {width} x {height}", rows, LARGE)
    yield _rejected("WebP of 2^24 x 2^24", f.webp(f.webp_canvas(2**24, 2**24), vp8l[12:]), LARGE)
    for width, height in (1, 65535), (65535, 1), (15, 65535), (1, MAX_SIDE), (MAX_SIDE, 1):
        rows = bytes((width + 7) // 8 + 1) * height
        data = f.png(f.png_header(width, height, 1, 0), rows)
        yield Sample(f"PNG of {width} x {height}", data, shapes=((height, width),))
    for width, height in (1, 65500), (65500, 1), (1, 1):
        data = encoded(Image.new("RGB", (width, height)), "JPEG")
        yield Sample(f"JPEG of {width} x {height}", data, shapes=((height, width),))
    for width, height in (1, 16383), (16383, 1), (1, 1):
        data = encoded(Image.new("RGB", (width, height)), "WEBP")
        yield Sample(f"WebP of {width} x {height}", data, shapes=((height, width),))
        data = encoded(Image.new("RGB", (width, height)), "AVIF")
        yield Sample(f"AVIF of {width} x {height}", data, shapes=((height, width),))


def _with_vp8_size(webp: bytes, width: int, height: int) -> bytes:
    sides = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return webp[:26] + sides + webp[30:]


def lying_headers() -> Made:
    for format, options in ("JPEG", {}), ("JPEG", {"progressive": True}):
        jpeg = _image(format, **options)
        for width, height in (1, 1), (WIDTH * 2, HEIGHT), (WIDTH, HEIGHT * 9), (900, 900):
            data = f.with_frame_size(jpeg, width, height)
            name = f"{format} {options or ''} whose header says {width} x {height}"
            yield Sample(name, data, BROKEN, shapes=((height, width),))
    image = _image("PNG")
    for width, height in (1, 1), (WIDTH * 2, HEIGHT), (WIDTH, HEIGHT + 1), (900, 900):
        data = f.png_header(width, height) + image[33:]
        yield Sample(f"PNG whose header says {width} x {height}", data, BROKEN, ((height, width),))
    for depth in 0, 3, 8, 32:
        for colour in 1, 5, 7:
            data = f.png_header(WIDTH, HEIGHT, depth, colour) + image[33:]
            yield _rejected(f"PNG of depth {depth} and colour type {colour}", data)
        data = f.png_header(WIDTH, HEIGHT, depth, 0) + f.chunk(b"tRNS", b"\0\0") + image[33:]
        yield Sample(f"PNG of depth {depth} with a transparent shade", data, BROKEN)
    for lossless in False, True:
        webp = _image("WEBP", lossless=lossless)
        for width, height in (1, 1), (WIDTH * 2, HEIGHT), (900, 900):
            data = f.webp(f.webp_canvas(width, height), webp[12:])
            kind = "lossless " * lossless
            yield _rejected(f"{kind}WebP whose canvas is {width} x {height}", data)
    avif = _image("AVIF")
    for width, height in (1, 1), (WIDTH * 2, HEIGHT), (900, 900):
        data = f.with_announced_size(avif, width, height)
        yield Sample(f"AVIF that announces {width} x {height}", data, BROKEN, ((height, width),))
    for marker in 0xC0, 0xC2:
        body = b"\x08\x00\x01\x00\x01\x03\x01\x11\0\x02\x11\0\x03\x11\0"
        data = f.with_segments(_image("JPEG"), f.segment(marker, body))
        yield _rejected(f"JPEG with a second frame header {marker:x}", data)
    yield _rejected("PNG with two headers", f.with_chunks(image, image[8:33]))
    yield _rejected("PNG with a header of 12 bytes", f.PNG_SIGNATURE + f.chunk(b"IHDR", bytes(12)))
    yield _rejected("PNG without pixels", image[:33] + f.chunk(b"IEND"))
    yield _rejected("PNG with an unknown critical chunk", f.with_chunks(image, f.chunk(b"CgBI")))
    yield _rejected("PNG with a wrong checksum", image[:30] + b"\0\0\0" + image[33:])
    yield Sample("PNG without an end", image[:-12])
    yield _rejected("JPEG that ends before its pixels", _image("JPEG")[:2] + f.EOI)


_GREEDY = f.exif(entries=4000, value_bytes=16_000, padding=16_000)
"""EXIF data that count 64 MB where there are 64 kB."""


def png_bombs() -> Made:
    image = _image("PNG")
    zeros = zlib.compress(bytes(50_000_000))
    yield _rejected(
        "PNG of 60000 x 60000", f.png_header(60_000, 60_000) + f.chunk(b"IDAT", zeros), LARGE
    )
    yield Sample(
        "PNG with far more pixels than it has room for",
        f.png_header(WIDTH, HEIGHT) + f.chunk(b"IDAT", zeros) + f.chunk(b"IEND"),
    )
    for name, head in (
        (b"iCCP", b"x\0\0"),
        (b"zTXt", b"x\0\0"),
        (b"iTXt", b"x\0\1\0\0\0"),
        (b"zTXt", b"Raw profile type exif\0\0"),
    ):
        bomb = f.chunk(name, head + zeros)
        yield Sample(f"PNG with 50 MB in {head!r} of {name.decode()}", f.with_chunks(image, bomb))
        behind = image[:-12] + bomb + image[-12:]
        yield Sample(f"PNG with 50 MB in {head!r} of {name.decode()}, behind", behind)
    for name in b"tEXt", b"IDAT", b"prIv", b"tRNS", b"eXIf", b"acTL", b"fdAT":
        many = f.chunk(name) * 50_000
        may = BROKEN if name == b"tRNS" else frozenset()
        data = f.with_chunks(image, many)
        yield Sample(f"PNG with 50000 empty chunks {name.decode()}", data, may)
    data = f.with_chunks(image, f.chunk(b"IDAT") * 100_000)
    yield _rejected("PNG with 100000 empty chunks IDAT", data)
    yield _rejected("PNG with two palettes", f.with_chunks(image, f.chunk(b"PLTE", bytes(3)) * 2))
    yield Sample(
        "PNG with EXIF that counts 64 MB", f.with_chunks(image, f.chunk(b"eXIf", _GREEDY[6:]))
    )


def jpeg_bombs() -> Made:
    jpeg, progressive = _image("JPEG"), _image("JPEG", progressive=True)
    yield Sample(f"JPEG with {MAX_SCANS} scans", f.with_scans(progressive, MAX_SCANS))
    yield _rejected(f"JPEG with {MAX_SCANS + 1} scans", f.with_scans(progressive, MAX_SCANS + 1))
    yield _rejected("JPEG with 9999 scans", f.with_scans(progressive, 9999))
    hidden = f.segment(0xFE, f.with_scans(progressive, 200))
    yield Sample("JPEG with 200 scans in a comment", f.with_segments(jpeg, hidden))
    for more, errors in (0, frozenset()), (1, BROKEN):
        # Beside the nine that Pillow writes.
        comments = f.segment(0xFE, b"") * (MAX_SEGMENTS - 9 + more)
        yield Sample(
            f"JPEG with {MAX_SEGMENTS + more} segments",
            f.with_segments(jpeg, comments),
            errors,
            () if errors else ((HEIGHT, WIDTH),),
        )
    yield _rejected("JPEG with a million short markers", f.with_segments(jpeg, b"\xff\x02" * 10**6))
    yield Sample("JPEG with a million bytes of fill", f.with_segments(jpeg, b"\xff" * 10**6))
    yield Sample("JPEG with a million restarts", jpeg[:-2] + b"\xff\xd0" * 10**6 + jpeg[-2:])
    large = f.segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 20
    small = f.segment(0xE1, b"Exif\0\0x") * 3000
    yield Sample("JPEG with EXIF in 3020 segments", f.with_segments(jpeg, large, small))
    yield Sample(
        "JPEG with EXIF that counts 64 MB", f.with_segments(jpeg, f.segment(0xE1, _GREEDY))
    )


def webp_bombs() -> Made:
    lossless = _image("WEBP", lossless=True)
    extended = f.webp_canvas(WIDTH, HEIGHT, flags=8)
    webp = f.webp(extended, lossless[12:], f.webp_chunk(b"EXIF", _GREEDY))
    yield Sample("WebP with EXIF that counts 64 MB", webp)
    pixel = encoded(np.zeros((1, 1, 3), np.uint8), "WEBP", lossless=True)
    animated = f.webp_canvas(WIDTH, HEIGHT, flags=2), f.webp_chunk(b"ANIM", bytes(6))
    frames = f.webp_frame(pixel, 1, 1) * 5000
    yield Sample("WebP with 5000 frames", f.webp(*animated, frames))
    yield Sample(
        "WebP with 50000 unknown chunks",
        f.webp(extended, f.webp_chunk(b"junk") * 50_000, lossless[12:]),
    )
    chunks = f.webp_chunk(b"junk") * 100_000
    data = f.webp(extended, chunks, lossless[12:])
    yield _rejected("WebP with 100000 unknown chunks", data)
    yield _rejected(
        "WebP of one large canvas",
        f.webp(f.webp_canvas(16383, 16383, 2), *animated[1:], frames),
        LARGE,
    )


def avif_bombs() -> Made:
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000
    yield Sample("AVIF with 60 kB of EXIF", _image("AVIF", exif=exif))
    black = encoded(Image.new("L", (2048, 2048)), "AVIF", speed=10)
    for side in 16, 64, 999:
        data = f.with_announced_size(black, side, side)
        yield _rejected(f"AVIF of {side} x {side} that codes 2048 x 2048", data)
    avif = _image("AVIF")
    image, large = f.av1(avif, WIDTH, HEIGHT), f.av1(avif, 9999, 9999)
    alpha = f.av1(avif, 9999, 9999, f.ALPHA)
    data = f.avif([image, alpha], f.reference(b"auxl", 2, 1))
    yield _rejected("AVIF with an alpha to be enlarged to 9999 x 9999", data)
    for name, sides in (("a tile to be enlarged", (WIDTH, HEIGHT)), ("a grid", (9999, 9999))):
        whole = f.Item(b"grid", f.grid(1, 1, *sides), (f.ispe(WIDTH, HEIGHT),))
        data = f.avif([whole, large], f.reference(b"dimg", 1, 2))
        yield _rejected(f"AVIF with {name} to 9999 x 9999", data)
    frames = f.Item(b"av01", image.contents * 9999, image.properties)
    yield _rejected("AVIF with 9999 frames", f.avif([frames]))
    units = f.Item(b"av01", image.contents + b"\x7a\0" * 99_999, image.properties)
    yield _rejected("AVIF with 99999 units of AV1", f.avif([units]))
    kinds = struct.pack(">IH", 0, 60_000) + f.infe(1, b"av01") * 60_000
    yield _rejected("AVIF with 60000 items", f.avif([image], iinf=kinds))
    many = f.reference(b"dimg", 1, *range(2, 60_000))
    yield _rejected("AVIF with 60000 references", f.avif([image], many))
    pieces = struct.pack(">IHHHHHH", 1 << 24, 1 << 12, 1, 1, 0, 0, 65_535)
    yield _rejected("AVIF with 65535 pieces of no bytes", f.avif([image], iloc=pieces))
    links = f.Item(b"junk", b"", (f.box(b"junk", bytes(100_000)),) * 255)
    yield Sample("AVIF with 25500 links to 100 kB", f.avif([image, *[links] * 100]))
    boxes = f.box(b"free") * 99_999
    yield Sample("AVIF with 99999 groups", f.avif([image], grpl=boxes))
    yield Sample("AVIF with 99999 boxes behind", avif + boxes)
    yield _rejected("AVIF with 99999 boxes in front", avif[:32] + boxes + avif[32:])
    track = functools.reduce(
        lambda body, name: f.box(name, body), (b"stbl", b"minf", b"mdia"), boxes
    )
    yield Sample("AVIF with 99999 boxes in a track", avif + f.box(b"moov", f.box(b"trak", track)))


def polyglots() -> Made:
    archive = b"PK\x05\x06" + bytes(18)
    page = b"<html><script>alert(1)</script></html>"
    for kind in "JPEG", "PNG", "WebP", "AVIF":
        data = of_kinds()[kind]
        for tail, name in (
            (archive, "ZIP"),
            (page, "HTML"),
            (data, "itself"),
            (bytes(9999), "zeros"),
        ):
            yield Sample(f"{kind} and then {name}", data + tail)
        for head, name in (
            (b"GIF89a/*", "GIF"),
            (b"%PDF-1.7\n", "PDF"),
            (page, "HTML"),
            (b"\0", "a zero"),
        ):
            yield _rejected(f"{name} and then {kind}", head + data, FOREIGN)
    jpeg, image = _image("JPEG"), _image("PNG")
    yield Sample("JPEG with HTML in a comment", f.with_segments(jpeg, f.segment(0xFE, page)))
    yield Sample("PNG with HTML in a text", f.with_chunks(image, f.chunk(b"tEXt", b"x\0" + page)))
    yield Sample("PNG with JPEG in a text", f.with_chunks(image, f.chunk(b"tEXt", b"x\0" + jpeg)))
    yield Sample(
        "JPEG with PNG in EXIF", f.with_segments(jpeg, f.segment(0xE1, b"Exif\0\0" + image))
    )
    yield _rejected("PNG's signature and then JPEG", f.PNG_SIGNATURE + jpeg)
    yield _rejected("JPEG's signature and then PNG", b"\xff\xd8\xff" + image)
    yield _rejected("WebP's signature and then PNG", b"RIFF\0\0\0\0WEBP" + image)
    yield _rejected("AVIF's first box and then PNG", f.box(b"ftyp", b"avif\0\0\0\0avif") + image)


def wrong_types() -> Made:
    image = gradient(HEIGHT, WIDTH)
    for format in "GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "JPEG2000", "DDS":
        yield _rejected(f"a {format}", encoded(image, format), FOREIGN)
    undated = encoded(image, "PDF", creationDate=None, modDate=None)
    yield _rejected("a PDF", undated, FOREIGN)
    for name, data in {
        "nothing": b"",
        "a line end": b"\n",
        "text": b"hello, world",
        "UTF-16": "\ufeffhello".encode("utf-16"),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "SVG with an entity": b'<!DOCTYPE s [<!ENTITY a "aaaa">]><svg>&a;</svg>',
        "HTML": b"<!doctype html><title>x</title>",
        "JSON": b'{"file": "x"}',
        "base64 of a JPEG": b"/9j/4AAQSkZJRgABAQ==",
        "a data URL": b"data:image/png;base64,iVBORw0KGgo=",
        "zeros": bytes(4096),
        "ones": b"\xff" * 4096,
        "noise": random.Random(0).randbytes(4096),
        "ZIP": b"PK\x03\x04" + bytes(40),
        "GZIP": zlib.compress(bytes(99), wbits=31),
        "a program": b"\x7fELF\x02\x01\x01" + bytes(57),
        "HEIC": f.box(b"ftyp", b"heic\0\0\0\0mif1heic") + f.box(b"meta", bytes(40)),
        "MP4": f.box(b"ftyp", b"isom\0\0\0\0isommp42") + f.box(b"moov", bytes(40)),
        "JPEG XL": b"\xff\x0a" + bytes(40),
        "JPEG XL in boxes": f.box(b"JXL ", b"\r\n\x87\n") + bytes(40),
        "JPEG XR": b"II\xbc\x01" + bytes(40),
        "WAV": f.webp_chunk(b"RIFF", b"WAVEfmt " + bytes(40)),
        "AVI": f.webp_chunk(b"RIFF", b"AVI LIST" + bytes(40)),
        "RIFX WebP": b"RIFX\0\0\0\0WEBPVP8 " + bytes(40),
        "MNG": b"\x8aMNG\r\n\x1a\n" + bytes(40),
        "PNG sent as text": _image("PNG").replace(b"\r\n", b"\n"),
        "a PSD": b"8BPS\0\1" + bytes(40),
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }.items():
        yield _rejected(name, data, FOREIGN)


def kinds_of_png() -> Made:
    for colour, samples, depths in (
        (0, 1, (1, 2, 4, 8, 16)),
        (2, 3, (8, 16)),
        (3, 1, (1, 2, 4, 8)),
        (4, 2, (8, 16)),
        (6, 4, (8, 16)),
    ):
        for depth in depths:
            row = bytes((WIDTH * depth * samples + 7) // 8 + 1)
            palette = [f.chunk(b"PLTE", bytes(range(6)))] if colour == 3 else []
            for interlace in 0, 1:
                # Interlaced rows are padded more often; the surplus is ignored.
                rows = row * HEIGHT * (1 + interlace)
                header = f.png_header(WIDTH, HEIGHT, depth, colour, interlace)
                name = f"PNG of colour type {colour}, depth {depth}, interlace {interlace}"
                yield Sample(name, f.png(header, rows, *palette))
                key = f.chunk(b"tRNS", bytes({0: 2, 2: 6, 3: 1}.get(colour, 1)))
                # Colours with alpha have no transparent one.
                errors = BROKEN if colour > 3 else frozenset()
                yield Sample(f"{name}, with tRNS", f.png(header, rows, *palette, key), errors)


def odd_palettes() -> Made:
    header = f.png_header(WIDTH, HEIGHT, 8, 3)
    rows = bytes(WIDTH + 1) * HEIGHT
    out_of_range = b"".join(b"\0" + b"\xfe" * WIDTH for _ in range(HEIGHT))
    palette = f.chunk(b"PLTE", bytes(6))
    yield Sample("PNG without its palette", f.png(header, rows), BROKEN)
    yield Sample(
        "PNG with colours that its palette lacks", f.png(header, out_of_range, palette), BROKEN
    )
    for size in 0, 2, 3000:
        yield Sample(
            f"PNG with a palette of {size} bytes",
            f.png(header, rows, f.chunk(b"PLTE", bytes(size))),
            BROKEN,
        )
    long_key = f.chunk(b"tRNS", bytes(300))
    yield Sample(
        "PNG with more alphas than colours", f.png(header, rows, palette, long_key), BROKEN
    )
    short_key = f.chunk(b"tRNS", b"\0")
    yield Sample("PNG with a cut off tRNS", f.with_chunks(_image("PNG"), short_key), BROKEN)


def kinds_of_jpeg() -> Made:
    rgb = Image.fromarray(gradient(HEIGHT, WIDTH))
    yield Sample("MPO", encoded(rgb, "MPO", save_all=True, append_images=[rgb.rotate(180)]))
    broken_index = f.segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40)
    yield Sample(
        "JPEG with a broken index of an MPO", f.with_segments(_image("JPEG"), broken_index)
    )
    cmyk = encoded(rgb.convert("CMYK"), "JPEG")
    yield Sample("CMYK JPEG without Adobe's marker", without_adobe_marker(cmyk))
    for subsampling in "4:4:4", "4:2:2", "4:2:0":
        for options in {"progressive": True}, {"restart_marker_blocks": 1}, {"optimize": True}:
            data = _image("JPEG", subsampling=subsampling, **options)
            yield Sample(f"JPEG {subsampling} {options}", data)
    yield Sample("JPEG of RGB", _image("JPEG", keep_rgb=True))


def kinds_of_avif() -> Made:
    tile = f.av1(encoded(gradient(64, 64), "AVIF"), 64, 64)
    coded = encoded(gradient(64, 64)[:, :, 0], "AVIF")
    grey, alpha = f.av1(coded, 64, 64), f.av1(coded, 64, 64, f.ALPHA)
    one = f.Item(b"grid", f.grid(1, 1, WIDTH, HEIGHT), (f.ispe(WIDTH, HEIGHT),))
    yield Sample("AVIF of a tile", f.avif([one, tile], f.reference(b"dimg", 1, 2)))
    two = f.Item(b"grid", f.grid(2, 1, 64, 128), (f.ispe(64, 128),))
    tiles = f.reference(b"dimg", 1, 2, 3)
    each = f.reference(b"auxl", 4, 2) + f.reference(b"auxl", 5, 3) + f.reference(b"prem", 1, 4)
    whole = f.Item(two.item_type, two.contents, (*two.properties, f.ALPHA))
    all_tiles = f.reference(b"auxl", 4, 1) + f.reference(b"dimg", 4, 5, 6)
    for name, items, references in (
        ("two tiles", [], b""),
        ("two transparent tiles", [alpha, alpha], each),
        ("two tiles, and an alpha of two", [whole, grey, grey], all_tiles),
    ):
        data = f.avif([two, tile, tile, *items], tiles + references)
        yield Sample(f"AVIF of {name}", data, shapes=((128, 64),))


def odd_metadata() -> Made:
    srgb = profiles.srgb()
    for format in "JPEG", "PNG", "WEBP", "AVIF":
        for name, profile in (
            ("cut off", srgb[:200]),
            ("damaged", srgb[:128] + b"\xff" * 200 + srgb[328:]),
            ("made of noise", random.Random(1).randbytes(3000)),
            ("empty of tags", srgb[:128] + bytes(4)),
        ):
            yield Sample(f"{format} with a profile {name}", _image(format, icc_profile=profile))
        for orientation in 0, 9, 65535:
            exif = Image.Exif()
            exif[0x0112] = orientation
            yield Sample(
                f"{format} of orientation {orientation}", _image(format, exif=exif.tobytes())
            )
    damaged = b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12\0\x02\xff\xff\xff\xff\0\0\xff\xff"
    yield Sample("JPEG with damaged EXIF", _image("JPEG", exif=damaged))
    for number, total in (0, 1), (1, 0), (2, 1), (1, 2), (255, 255):
        part = f.segment(0xE2, b"ICC_PROFILE\0" + bytes((number, total)) + srgb)
        data = f.with_segments(_image("JPEG"), part)
        yield Sample(f"JPEG with part {number} of {total} of a profile", data)


FAMILIES = (
    whole,
    cut_off,
    damaged,
    sides,
    lying_headers,
    png_bombs,
    jpeg_bombs,
    webp_bombs,
    avif_bombs,
    polyglots,
    wrong_types,
    kinds_of_png,
    odd_palettes,
    kinds_of_jpeg,
    kinds_of_avif,
    odd_metadata,
)
