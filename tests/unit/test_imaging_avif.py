"""AVIF files: what is read of them before decoding, and that whole files are decoded."""

import struct
from itertools import product

import numpy as np
import pytest
from PIL import Image, features

from dctnet.imaging import DamagedImage, decode
from dctnet.imaging.container import MAX_PROFILE_BYTES
from dctnet.imaging.heif import MAX_FIELDS, _File, is_avif
from dctnet.imaging.heif import read_avif as read
from tests.support.encoded_images import encoded, format_variants, gradient
from tests.support.formats import (
    ALPHA,
    Item,
    av1,
    avif,
    box,
    grid,
    ispe,
    reference,
)

ENOUGH = 10**7
AVIF_KINDS = [kind for kind in format_variants() if "AVIF" in kind]


def coded(image: np.ndarray, *properties: bytes, size: tuple[int, int] | None = None) -> Item:
    """An item of AV1, which may announce another size (width, height) than it has."""
    data = encoded(image, "AVIF", speed=10)
    height, width = image.shape[:2]
    return av1(data, *(size or (width, height)), *properties)


SMALL = coded(gradient(64, 64))
GREY = coded(np.full((64, 64), 128, np.uint8), ALPHA)


def test_avif_decoder_is_available():
    assert features.check("avif")


@pytest.mark.parametrize("kind", AVIF_KINDS)
def test_size_is_read_as_stored(kind):
    container = read(format_variants()[kind])
    turned = kind == "turned AVIF"
    assert (container.width, container.height) == ((40, 24) if turned else (24, 40))
    assert container.orientation == (6 if turned else 1)


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"avif\0\0\0\0", True),
        (b"avis\0\0\0\0avif", True),
        (b"mif1\0\0\0\0mif1miafavif", True),
        (b"mif1\0\0\0\0mif1heic", False),
        (b"heic\0\0\0\0heic", False),
        (b"mif1avif", False),
        (b"", False),
    ],
)
def test_brands_identify_avif(brands, expected):
    assert is_avif(box(b"ftyp", brands) + b"avif") is expected
    assert not is_avif(box(b"free", brands))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_and_mirror_give_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read(encoded(gradient(4, 4), "AVIF", exif=exif)).orientation == orientation


def test_profile_size_limit():
    profile = bytes(MAX_PROFILE_BYTES)
    assert read(encoded(gradient(4, 4), "AVIF", icc_profile=profile)).profile == profile
    assert read(encoded(gradient(4, 4), "AVIF", icc_profile=profile + b"x")).profile == b""


def quarters(image: np.ndarray, *properties: bytes) -> list[Item]:
    height, width = (side // 2 for side in image.shape[:2])
    corners = product((0, height), (0, width))
    return [coded(image[y : y + height, x : x + width], *properties) for y, x in corners]


def whole(*properties: bytes, size: tuple[int, int] = (256, 128)) -> Item:
    """A grid of 2 x 2 tiles."""
    return Item(b"grid", grid(2, 2, 256, 128), (ispe(*size), *properties))


def test_a_grid_of_tiles_is_one_image():
    image = gradient(128, 256)
    rgb = decode(avif([whole(), *quarters(image)], reference(b"dimg", 1, 2, 3, 4, 5)), ENOUGH)
    assert np.abs(rgb.astype(int) - image).max() <= 12


def test_equal_tiles_may_share_bytes():
    """libavif writes what many tiles have in common once."""
    tiles = 100
    large = Item(b"grid", grid(10, 10, 640, 640), (ispe(640, 640),))
    extents = b"".join(
        struct.pack(">HHHHII", 2 + tile, 1, 0, 1, 12, len(SMALL.contents)) for tile in range(tiles)
    )
    data = avif(
        [large, *[Item(b"av01", b"", SMALL.properties)] * tiles],
        reference(b"dimg", 1, *range(2, 2 + tiles)),
        iloc=struct.pack(">IHHHHHHII", 1 << 24, 0x4400, 1 + tiles, 1, 1, 0, 1, 0, 12) + extents,
        idat=large.contents + SMALL.contents,
    )
    assert len(data) < tiles * len(SMALL.contents)
    assert decode(data, ENOUGH).shape == (640, 640, 3)


@pytest.mark.parametrize("way", ["an image", "a grid", "each tile's"])
def test_grid_alpha_is_composited_on_white(way):
    black, half = np.zeros((128, 256, 3), np.uint8), np.full((128, 256), 128, np.uint8)
    colour = [whole(), *quarters(black)]
    references = reference(b"dimg", 1, 2, 3, 4, 5)
    if way == "an image":
        alpha, more = [coded(half, ALPHA)], reference(b"auxl", 6, 1)
    elif way == "a grid":
        alpha = [whole(ALPHA), *quarters(half)]
        more = reference(b"auxl", 6, 1) + reference(b"dimg", 6, 7, 8, 9, 10)
    else:
        alpha = quarters(half, ALPHA)
        more = b"".join(reference(b"auxl", 6 + tile, 2 + tile) for tile in range(4))
    rgb = decode(avif(colour + alpha, references + more), ENOUGH).astype(int)
    assert np.abs(rgb - 127).max() <= 3


def test_alpha_of_only_some_tiles_is_ignored():
    tiles = quarters(np.zeros((128, 256, 3), np.uint8))
    references = reference(b"dimg", 1, 2, 3, 4, 5) + reference(b"auxl", 6, 2)
    data = avif([whole(), *tiles, coded(np.zeros((64, 128), np.uint8), ALPHA)], references)
    assert decode(data, ENOUGH).max() <= 3


def test_small_image_may_code_larger_frames():
    """A phone pads a strip to whole tiles; decoders scale or crop."""
    strip = Item(b"grid", grid(1, 2, 1000, 40), (ispe(1000, 40),))
    tiles = [coded(gradient(512, 512))] * 2
    data = avif([strip, *tiles], reference(b"dimg", 1, 2, 3))
    assert decode(data, ENOUGH).shape == (40, 1000, 3)


def numbers(data: bytes) -> int:
    """Count the boxes and numbers that are read of a file."""
    file = _File(data, "AVIF")
    file.primary_properties()
    return file._fields


ONE = Item(b"av01", b"contents", (ispe(3, 2),))


def links(count: int) -> bytes:
    """The contents of a box iprp: with properties of items that are not there."""
    entries = b"".join(struct.pack(">HB", 2 + n, 1) + b"\1" for n in range(count))
    return box(b"ipco", ispe(3, 2)) + box(
        b"ipma", struct.pack(">IIHBB", 0, count + 1, 1, 1, 1) + entries
    )


@pytest.mark.parametrize(
    ("make", "each"),
    [
        (lambda n: avif([ONE], iprp=links(n)), 3),
        (lambda n: avif([ONE], free=box(b"free") * n), 0),
        (lambda n: avif([ONE]).replace(b"\0\0\0\x1cftyp", box(b"free") * n + b"\0\0\0\x1cftyp"), 1),
    ],
    ids=["links", "behind", "before"],
)  # fmt: skip
def test_field_limit(make, each):
    base = numbers(make(0))
    assert numbers(make(10)) == base + 10 * each
    if not each:
        numbers(make(100_000))
        return
    most = (MAX_FIELDS - base) // each
    numbers(make(most))
    with pytest.raises(DamagedImage, match=f"more than {MAX_FIELDS} parts"):
        numbers(make(most + 1))


def test_box_with_64_bit_length():
    data = avif([ONE])
    ftyp, meta = data[:28], data[28:]
    long = struct.pack(">I4sQ", 1, b"meta", len(meta) + 8) + meta[8:]
    assert read(ftyp + long).width == 3
    endless = struct.pack(">I4sQ", 1, b"meta", 2**64 - 1) + meta[8:]
    with pytest.raises(DamagedImage, match="damaged or cut off"):
        read(ftyp + endless)


@pytest.mark.parametrize(
    "boxes",
    [
        {"iprp": b""},
        {"iprp": box(b"ipco") + box(b"ipma", struct.pack(">IIHBB", 0, 1, 1, 1, 1))},
        {"iprp": box(b"ipco", ispe(3, 2)) + box(b"ipma", struct.pack(">IIHB", 0, 1, 1, 1))},
        {"iprp": box(b"ipco", box(b"ispe", bytes(9))) + box(b"ipma", bytes(7) + b"\1\0\1\1\1")},
    ],
)
def test_damaged_boxes_are_rejected(boxes):
    with pytest.raises(DamagedImage, match="AVIF is damaged"):
        read(avif([ONE], **boxes))


def test_image_without_pixels_is_rejected():
    with pytest.raises(DamagedImage, match="no pixels"):
        read(avif([Item(b"av01", b"", (ispe(0, 64),))]))
