"""AVIF files are looked through, so that libavif decodes what they announce and no more."""

import struct
from io import BytesIO

import pytest
from PIL import Image, features

from dctnet.imaging import BrokenPicture, decode
from dctnet.imaging.avif import MAX_CODED, MAX_EXTENTS, MAX_ITEMS, is_avif, read
from dctnet.imaging.container import MAX_PROFILE_BYTES
from tests.support.encoded import encoded, gradient, of_kinds
from tests.support.formats import box, with_announced_size

AVIF = of_kinds()["AVIF"]


def test_the_decoder_is_there() -> None:
    assert features.check("avif")


@pytest.mark.parametrize("kind", [kind for kind in of_kinds() if "AVIF" in kind])
def test_each_kind_tells_its_size_as_stored(kind: str) -> None:
    container = read(of_kinds()[kind])
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
def test_the_brands_tell_whether_it_is_one(brands: bytes, expected: bool) -> None:
    assert is_avif(box(b"ftyp", brands) + b"avif") is expected
    assert not is_avif(box(b"free", brands))


def test_a_picture_may_code_as_often_its_pixels_as_allowed_but_no_more() -> None:
    data = encoded(gradient(256, 256), "AVIF")
    assert MAX_CODED == 4
    assert decode(with_announced_size(data, 128, 128), 100_000).shape == (128, 128, 3)
    with pytest.raises(BrokenPicture, match="announces 127 x 128 pixels but codes up to 65536"):
        read(with_announced_size(data, 127, 128))


def test_an_animation_is_its_primary_item() -> None:
    still = read(of_kinds()["animated AVIF"]).data
    with Image.open(BytesIO(still)) as image:
        assert image.n_frames == 1


def test_exif_does_not_reach_the_decoder() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    data = encoded(gradient(40, 24), "AVIF", exif=exif)
    with Image.open(BytesIO(data)) as image, Image.open(BytesIO(read(data).data)) as still:
        assert "exif" in image.info
        assert "exif" not in still.info


def test_a_profile_as_long_as_allowed_is_used_and_a_longer_one_ignored() -> None:
    profile = bytes(MAX_PROFILE_BYTES)
    assert read(encoded(gradient(4, 4), "AVIF", icc_profile=profile)).profile == profile
    assert read(encoded(gradient(4, 4), "AVIF", icc_profile=profile + b"x")).profile == b""


def test_as_many_boxes_as_allowed_pass_and_one_more_does_not() -> None:
    boxes = box(b"free") * (MAX_ITEMS - 3)  # Beside ftyp, meta and mdat.
    assert read(AVIF + boxes).width == 24
    with pytest.raises(BrokenPicture, match=f"more than {MAX_ITEMS} boxes"):
        read(AVIF + boxes + box(b"free"))


@pytest.mark.parametrize("name", [b"ipco", b"moov"])
def test_as_many_boxes_in_a_box_as_allowed_pass_and_one_more_does_not(name: bytes) -> None:
    for count, words in (MAX_ITEMS, "header"), (MAX_ITEMS + 1, f"more than {MAX_ITEMS} boxes"):
        boxes = box(b"free") * count
        data = (
            with_items(locations(1, 1), properties=boxes)
            if name == b"ipco"
            else with_items(locations(1, 1)) + box(name, boxes)
        )
        with pytest.raises(BrokenPicture, match=words):
            read(data)


def with_items(locations: bytes, properties: bytes = b"") -> bytes:
    """An AVIF of an item of AV1 whose places are told by the contents of the box iloc."""
    entry = box(b"infe", struct.pack(">IHH4sx", 2 << 24, 1, 0, b"av01"))
    items = box(b"iinf", struct.pack(">IH", 0, 1) + entry)
    described = box(b"iprp", box(b"ipco", properties))
    meta = box(b"meta", bytes(4) + items + described + box(b"iloc", locations))
    return box(b"ftyp", b"avif\0\0\0\0avif") + meta


def locations(items: int, length: int) -> bytes:
    """The contents of a box iloc: items of one extent each, all at the file's beginning."""
    head = struct.pack(">IHH", 0, 0x4400, items)
    return head + b"".join(
        struct.pack(">HHHII", number + 1, 0, 1, 0, length) for number in range(items)
    )


def test_as_many_items_as_allowed_pass_and_one_more_does_not() -> None:
    with pytest.raises(BrokenPicture, match="header"):  # It has no primary item.
        read(with_items(locations(MAX_ITEMS, 1)))
    with pytest.raises(BrokenPicture, match=f"more than {MAX_ITEMS} items"):
        read(with_items(locations(MAX_ITEMS + 1, 1)))


def test_as_many_extents_as_allowed_pass_and_one_more_does_not() -> None:
    for count, words in (MAX_EXTENTS, "header"), (MAX_EXTENTS + 1, f"more than {MAX_EXTENTS}"):
        of_no_bytes = struct.pack(">IHHHHH", 0, 0, 1, 1, 0, count)
        with pytest.raises(BrokenPicture, match=words):
            read(with_items(of_no_bytes))


def test_items_cannot_share_their_bytes_to_be_more_than_the_file() -> None:
    length = len(with_items(locations(1, 0)))
    with pytest.raises(BrokenPicture, match="header"):
        read(with_items(locations(1, length)))
    with pytest.raises(BrokenPicture, match="longer than the file"):
        read(with_items(locations(1, length + 1)))


@pytest.mark.parametrize(
    "data",
    [
        AVIF[:40],
        AVIF[:-1],
        with_items(b""),
        with_items(locations(3, 1)[:-1]),
        with_items(b"\1\0\0\0\0\0\0\1\0\1\0\2\0\0\0\0"),
        box(b"ftyp", b"avif\0\0\0\0avif"),
        box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", bytes(4)),
        box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta") + box(b"meta"),
    ],
)
def test_damaged_boxes_are_said(data: bytes) -> None:
    with pytest.raises(BrokenPicture, match="AVIF"):
        read(data)
