"""Files that are no accepted images are called by their name."""

import base64
import gzip
import json

import pytest

from dctnet.imaging import UnsupportedFormat, inspect
from dctnet.imaging.foreign import HEIC_ADVICE, describe
from tests.support.encoded_images import encoded, gradient

IMAGE = gradient(8, 8)
ACCEPTED = "a JPEG, PNG, WebP or AVIF image"
FTYP = b"\0\0\0\x18ftyp"

NAMED = [
    (encoded(IMAGE, "GIF"), "a GIF image"),
    (encoded(IMAGE, "BMP"), "a BMP image"),
    (encoded(IMAGE, "TIFF"), "a TIFF image or a raw photo"),
    (encoded(IMAGE, "ICO"), "an icon"),
    (encoded(IMAGE, "PDF"), "a PDF document"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    (b"\xff\x0a\xfa\x7f", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    (b"8BPS\0\1", "a Photoshop image"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG image"),
    (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a -->\n<svg width='9'>", "an SVG image"),
    (b"<!DOCTYPE html><html>", "an HTML or XML document"),
    (FTYP + b"isom\0\0\2\0isomiso2avc1mp41", "a video or sound"),
    (FTYP + b"qt  ", "a video or sound"),
    (b"\x1a\x45\xdf\xa3\x9f", "a video or sound"),
    (b"RIFF\0\0\0\0AVI LIST", "a video or sound"),
    (gzip.compress(b"x", mtime=0), "an archive"),
    (b"PK\3\4\x14", "an archive"),
    ("A photo of me, \u00fc.".encode(), "text"),
    (b"x", "text"),
]
"""First bytes of files, and what the server calls them."""


@pytest.mark.parametrize(("data", "name"), NAMED)
def test_name_of_another_format(data, name):
    assert describe(data) == f"This is {name}, not {ACCEPTED}."
    with pytest.raises(UnsupportedFormat, match=name):
        inspect(data, 1000)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"mif1"])
def test_heic_says_what_to_do_on_the_phone(brand):
    assert describe(FTYP + brand + b"\0\0\0\0mif1heic") == HEIC_ADVICE


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_image_in_base64(format):
    text = base64.b64encode(encoded(IMAGE, format))
    assert describe(text) == "This is an image in Base64: send its bytes, decoded."
    assert "Base64" in describe(base64.encodebytes(encoded(IMAGE, format)))
    url = b"data:image/" + format.lower().encode() + b";base64," + text
    assert describe(url) == "This is a data URL: send the image's bytes instead."


def test_json():
    for value in {"image": "x"}, ["x"]:
        assert "as the field `file` of a form" in describe(json.dumps(value).encode())


@pytest.mark.parametrize(
    "data", [bytes(100), b"\x89HDF\r\n\x1a\n", b"\xde\xad\xbe\xef" * 9, b"{\0\0\0"]
)
def test_other_bytes_have_no_name(data):
    assert describe(data) == f"This is not {ACCEPTED}."
    assert describe(data, heic=True) == "This is not a JPEG, PNG, WebP, AVIF or HEIC image."
