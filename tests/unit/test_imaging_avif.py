"""AVIF files are parsed: only what the image needs, and announces, reaches libavif."""

import struct
from dataclasses import replace
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from PIL import Image, features

from dctnet.imaging import DamagedImage, decode
from dctnet.imaging.avif import MAX_CODED_RATIO, is_avif, read
from dctnet.imaging.container import MAX_PROFILE_BYTES
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
    with_announced_size,
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


@pytest.mark.parametrize("kind", AVIF_KINDS)
def test_reduced_file_has_the_same_pixels(kind):
    whole = format_variants()[kind]
    with Image.open(BytesIO(whole)) as image, Image.open(BytesIO(read(whole).data)) as kept:
        assert kept.mode == image.mode
        assert kept.tobytes() == image.tobytes()


@pytest.mark.parametrize("kind", AVIF_KINDS)
def test_reduction_is_idempotent(kind):
    """It has numbers of 32 bits, where Pillow writes such of 16."""
    kept = read(format_variants()[kind]).data
    assert read(kept).data == kept


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


def test_animation_uses_primary_item():
    still = read(format_variants()["animated AVIF"]).data
    assert b"moov" not in still
    with Image.open(BytesIO(still)) as image:
        assert image.n_frames == 1


@pytest.mark.promise("Privacy: metadata of an image does not reach the decoder")
def test_metadata_do_not_reach_the_decoder():
    exif = Image.Exif()
    exif[0x010E] = "a description"
    data = encoded(gradient(40, 24), "AVIF", exif=exif, xmp=b"<x:xmpmeta/>", icc_profile=b"profile")
    container = read(data)
    with Image.open(BytesIO(data)) as image, Image.open(BytesIO(container.data)) as still:
        assert {"exif", "xmp", "icc_profile"} <= set(image.info)
        assert not {"exif", "xmp", "icc_profile"} & set(still.info)
    assert container.profile == b"profile"


def test_profile_size_limit():
    profile = bytes(MAX_PROFILE_BYTES)
    assert read(encoded(gradient(4, 4), "AVIF", icc_profile=profile)).profile == profile
    assert read(encoded(gradient(4, 4), "AVIF", icc_profile=profile + b"x")).profile == b""


def test_unused_items_do_not_reach_the_decoder():
    """Thumbnails, depth maps and gain maps may code any size."""
    other = coded(gradient(2000, 1000), size=(9, 9))
    references = reference(b"thmb", 2, 1) + reference(b"auxl", 3, 1) + reference(b"cdsc", 4, 1)
    data = avif([SMALL, other, other, Item(b"Exif", b"x" * 999)], references)
    assert read(data).data == read(avif([SMALL])).data


def test_unknown_property_is_dropped_or_rejected_if_essential():
    unknown = Item(SMALL.item_type, SMALL.contents, (*SMALL.properties, box(b"junk", b"x")))
    data = avif([unknown])
    assert read(data).data == read(avif([SMALL])).data
    essential = data.replace(b"\x03\x01\x02\x03", b"\x03\x01\x02\x83")
    assert essential != data
    with pytest.raises(DamagedImage, match="unknown property"):
        read(essential)


def test_shared_properties_are_written_once():
    """Each of a thousand links to a megabyte would be a copy in libavif."""
    large = box(b"auxC", bytes(1_000_000))
    items = [SMALL, *[Item(b"av01", b"", (large,) * 250)] * 4]
    tiles = [Item(b"av01", SMALL.contents, (*SMALL.properties, *(large,) * 9))] * 4
    square = Item(b"grid", grid(2, 2, 128, 128), (ispe(128, 128),))
    assert len(read(avif(items)).data) < 2000
    data = avif([square, *tiles], reference(b"dimg", 1, 2, 3, 4, 5))
    assert len(read(data).data) < 1_010_000


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
    assert len(read(data).data) < tiles * len(SMALL.contents)
    assert decode(data, ENOUGH).shape == (640, 640, 3)


@pytest.mark.parametrize("way", ["an image", "a grid", "each tile's"])
def test_grid_alpha_is_composited_on_white(way):
    black, half = np.zeros((128, 256, 3), np.uint8), np.full((128, 256), 128, np.uint8)
    colour = [whole(), *quarters(black)]
    references = reference(b"dimg", 1, 2, 3, 4, 5)
    if way == "an image":
        alpha, more = [coded(half, ALPHA)], reference(b"auxl", 6, 1, 99)
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


def test_frame_block_size_limit():
    data = encoded(np.zeros((1024, 1024), np.uint8), "AVIF", speed=10)
    assert read(with_announced_size(data, 961, 961)).width == 961
    for size in (960, 1024), (1024, 960):
        with pytest.raises(DamagedImage, match="pixels but codes up to 1048576"):
            read(with_announced_size(data, *size))


def test_coded_pixel_limit():
    """In layers, of which libavif decodes all."""
    layer = encoded(np.zeros((1024, 1024), np.uint8), "AVIF", speed=10)
    for layers in MAX_CODED_RATIO, MAX_CODED_RATIO + 1:
        item = av1(layer, 1024, 1024)
        data = avif([replace(item, contents=item.contents * layers)])
        if layers == MAX_CODED_RATIO:
            assert decode(data, ENOUGH).shape == (1024, 1024, 3)
        else:
            with pytest.raises(DamagedImage, match=f"codes up to {layers * 2**20}"):
                read(data)


def test_tile_pixel_limit():
    tile = coded(np.zeros((512, 512), np.uint8))
    for count in 4, 5:
        strip = Item(b"grid", grid(1, count, 512 * count, 8), (ispe(512 * count, 8),))
        data = avif([strip, *[tile] * count], reference(b"dimg", 1, *range(2, 2 + count)))
        if count == 4:
            assert read(data).height == 8
        else:
            with pytest.raises(DamagedImage, match=f"codes up to {count * 2**18}"):
                read(data)


ENLARGED = coded(gradient(64, 64), size=(8192, 8192))
"""What libavif would enlarge to 67 million pixels."""


@pytest.mark.parametrize(
    ("items", "references", "words"),
    [
        ([SMALL, Item(b"av01", ENLARGED.contents, (*ENLARGED.properties, ALPHA))],
         reference(b"auxl", 2, 1), "codes up to"),
        ([Item(b"grid", grid(1, 1, 64, 64), (ispe(64, 64),)), ENLARGED],
         reference(b"dimg", 1, 2), "codes up to"),
        ([Item(b"grid", grid(1, 1, 8192, 8192), (ispe(64, 64),)), ENLARGED],
         reference(b"dimg", 1, 2), "contradicts"),
        ([whole(), *[SMALL] * 3], reference(b"dimg", 1, 2, 3, 4), "contradicts"),
        ([whole(), *[SMALL] * 4], reference(b"dimg", 1, 2, 3, 4, 4), "two places"),
        ([whole(), *[SMALL] * 4], reference(b"dimg", 1, 2, 3, 4, 1), "two places"),
        ([whole(), *[SMALL] * 4], b"", "damaged"),
        ([Item(b"grid", b"", (ispe(64, 64),)), SMALL], reference(b"dimg", 1, 2), "damaged"),
        ([Item(b"av01", SMALL.contents, SMALL.properties[1:])], b"", "damaged"),
        ([Item(b"av01", SMALL.contents, (ispe(0, 64), SMALL.properties[1]))], b"", "no pixels"),
    ],
)  # fmt: skip
def test_contradictory_or_costly_file_is_rejected(items, references, words):
    with pytest.raises(DamagedImage, match=words):
        read(avif(items, references))


@pytest.mark.parametrize("kind", [b"hvc1", b"iovl", b"tmap", b"mime", b"\0\0\0\0"])
def test_unsupported_item_type_is_rejected(kind):
    data = avif([Item(kind, SMALL.contents, SMALL.properties)])
    with pytest.raises(DamagedImage, match="not coded in AV1"):
        read(data)
