"""Reading and writing of HEIF items."""

import struct

import pytest

from dctnet.imaging import DamagedImage, heif
from dctnet.imaging.avif import read as read_avif
from tests.support.encoded_images import format_variants
from tests.support.formats import ALPHA, Item, avif, box, infe, ispe, reference

AVIF = format_variants()["transparent AVIF"]
ONE = Item(b"av01", b"contents", (ispe(3, 2),))


def test_items_equal_those_written_by_pillow():
    items = heif.read(AVIF)
    assert items.primary == 1
    colour, alpha = items[1], items[2]
    assert [item.item_type for item in items.values()] == [b"av01", b"av01"]
    assert colour.size == alpha.size == (24, 40)
    assert (colour.is_alpha, alpha.is_alpha) == (False, True)
    assert alpha.references == {b"auxl": [1]}


@pytest.mark.parametrize("name", [b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth", b""])
def test_other_auxiliary_image_is_not_alpha(name):
    assert heif.Item(1, properties=[((b"auxC", bytes(4) + name + b"\0"), False)]).is_alpha is False
    assert heif.Item(1, properties=[((b"auxC", ALPHA[8:]), False)]).is_alpha is True


def test_write_read_round_trip():
    """With numbers of 32 bits, and properties that are one although several items have them."""
    listed = avif([ONE, ONE, ONE], reference(b"dimg", 1, 2, 3))
    items = heif.read(listed)
    items[3].item_id = 70_000
    items[1].references[b"dimg"][1] = 70_000
    items[1].properties.append(((b"irot", b"\1"), True))
    data = heif.write(listed, [items[3], items[1], items[2]])
    again = heif.read(data)
    assert again.primary == 70_000
    assert again[70_000].item_type == b"av01"
    assert again[1].references == {b"dimg": [2, 70_000]}
    assert again[1].properties == items[1].properties
    assert again[2].properties[0][0] is again[70_000].properties[0][0]
    for item in again.values():
        assert b"".join(data[start:end] for start, end in item.extents) == b"contents"


def test_box_with_64_bit_length():
    data = avif([ONE])
    ftyp, meta = data[:28], data[28:]
    long = struct.pack(">I4sQ", 1, b"meta", len(meta) + 8) + meta[8:]
    assert heif.read(ftyp + long)[1].size == (3, 2)
    endless = struct.pack(">I4sQ", 1, b"meta", 2**64 - 1) + meta[8:]
    with pytest.raises(DamagedImage, match="damaged or cut off"):
        heif.read(ftyp + endless)


def test_boxes_after_meta_are_ignored():
    assert heif.read(avif([ONE]) + box(b"free") * 100_000 + b"\0\0\0\3junk")[1].size == (3, 2)


def parts(data: bytes) -> int:
    return heif._File(data)._fields


def extents(count: int) -> bytes:
    """The contents of a box iloc: of one item, in pieces of no bytes."""
    return struct.pack(">IHHHHH", 0, 0, 1, 1, 0, count)


def links(count: int) -> bytes:
    """The contents of a box iprp: with properties of items that are not there."""
    entries = b"".join(struct.pack(">HB", 2 + n, 1) + b"\1" for n in range(count))
    properties = box(b"ipco", ispe(3, 2))
    return properties + box(b"ipma", struct.pack(">II", 0, count) + entries)


@pytest.mark.parametrize(
    ("make", "each"),
    [
        (lambda n: avif([ONE], iinf=struct.pack(">IH", 0, n) + infe(1, b"av01") * n), 6),
        (lambda n: avif([ONE], reference(b"dimg", 1, *range(1, n + 1))), 1),
        (lambda n: avif([ONE], reference(b"cdsc", 1) * n), 3),
        (lambda n: avif([ONE], iprp=links(n)), 3),
        (lambda n: avif([ONE], iprp=box(b"ipco", box(b"free") * n)), 1),
        (lambda n: avif([ONE], iloc=extents(n)), 3),
        (lambda n: avif([ONE], free=box(b"free") * n), 0),
        (lambda n: avif([ONE]).replace(b"\0\0\0\x1cftyp", box(b"free") * n + b"\0\0\0\x1cftyp"), 1),
    ],
    ids=["items", "references", "their lists", "links", "properties", "pieces", "no", "before"],
)  # fmt: skip
def test_field_limit(make, each):
    base = parts(make(0))
    assert parts(make(10)) == base + 10 * each
    if not each:
        parts(make(100_000))
        return
    most = (heif.MAX_FIELDS - base) // each
    parts(make(most))
    with pytest.raises(DamagedImage, match=f"more than {heif.MAX_FIELDS} parts"):
        parts(make(most + 1))


@pytest.mark.parametrize(
    "boxes",
    [
        {"iloc": b""},
        {"iloc": struct.pack(">IHHHHHHII", 1 << 24, 0x4400, 1, 1, 2, 0, 1, 0, 8)},
        {"iloc": struct.pack(">IHHHHHII", 0, 0x4400, 1, 1, 0, 1, 2**31, 8)},
        {"iprp": b""},
        {"iprp": box(b"ipco") + box(b"ipma", struct.pack(">IIHBB", 0, 1, 1, 1, 1))},
        {"iinf": struct.pack(">IH", 0, 1) + infe(1, b"av01")[:-3]},
        {"iref": bytes(4) + box(b"dimg", b"\0\1\xff\xff")},
    ],
)
def test_damaged_boxes_are_rejected(boxes):
    with pytest.raises(DamagedImage, match="AVIF is damaged"):
        read_avif(avif([ONE], **boxes))


def test_overlapping_items_longer_than_the_file_are_rejected():
    """Pieces that overlap, but are not the same."""

    def overlapping(length: int) -> bytes:
        entries = (struct.pack(">HHHII", 1 + n, 0, 1, n, length - n) for n in range(2))
        return avif([ONE], iloc=struct.pack(">IHH", 0, 0x4400, 2) + b"".join(entries))

    size = len(overlapping(9))
    heif.read(overlapping((size + 1) // 2))
    with pytest.raises(DamagedImage, match="longer than the file"):
        heif.read(overlapping((size + 1) // 2 + 1))


@pytest.mark.parametrize("length", range(28, len(AVIF), 7))
def test_truncated_file_is_rejected(length):
    with pytest.raises(DamagedImage, match="AVIF is damaged"):
        read_avif(AVIF[:length])
