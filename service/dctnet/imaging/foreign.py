"""Names of formats that are not accepted, for error messages."""

import re
from codecs import getincrementaldecoder
from typing import Final

_ACCEPTED: Final = "a JPEG, PNG, WebP or AVIF image"
_ACCEPTED_WITH_HEIC: Final = "a JPEG, PNG, WebP, AVIF or HEIC image"

HEIC_ADVICE: Final = (
    "This is a HEIC image. On an iPhone, choose Most Compatible in Settings, Camera, Formats; or"
    " export the photo as JPEG."
)

_KINDS: Final = (
    (rb".{4}ftyp(?:hei[cxms]|hevc|mif1|msf1)", HEIC_ADVICE),
    (rb".{4}ftyp|\x1a\x45\xdf\xa3|RIFF|\x00\x00\x01[\xb3\xba]", "a video or sound"),
    (rb"GIF8", "a GIF image"),
    (rb"BM.{4}\x00{4}", "a BMP image"),
    (rb"II\*\x00|MM\x00\*", "a TIFF image or a raw photo"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (rb"8BPS", "a Photoshop image"),
    (rb"\x00\x00\x01\x00", "an icon"),
    (rb"%PDF-", "a PDF document"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive"),
    (rb"\s*data:[\w.+-]+/[\w.+-]+[;,]", "This is a data URL: send the image's bytes instead."),
    (
        rb"\s*(?:/9j/|iVBOR|UklGR|AAAA)[A-Za-z0-9+/\s]{8,}",
        "This is an image in Base64: send its bytes, decoded.",
    ),
    (
        rb"\s*[{\[][\s\x20-\x7e]{2}",
        "This is JSON: send the image's bytes as the body, or as the field `file` of a form.",
    ),
    (rb"\s*<.{0,2000}?<svg\b|\s*<svg\b", "an SVG image"),
    (rb"\s*<[!?a-zA-Z]", "an HTML or XML document"),
)
"""Pattern of the first bytes, and a name or a sentence."""

_PATTERNS: Final = [(re.compile(pattern, re.DOTALL), text) for pattern, text in _KINDS]

_CONTROL: Final = re.compile(r"[\0-\x08\x0e-\x1f]")

_LOOK_BYTES: Final = 4096
"""Bytes that are looked at."""


def describe(data: bytes, *, heic: bool = False) -> str:
    """Return a sentence about a file that is not accepted: what it is, and what to send.

    ``heic`` says whether HEIC is accepted.
    """
    accepted = _ACCEPTED_WITH_HEIC if heic else _ACCEPTED
    head = data[:_LOOK_BYTES].removeprefix(b"\xef\xbb\xbf")
    for pattern, text in _PATTERNS:
        if pattern.match(head):
            return text if text.endswith(".") else f"This is {text}, not {accepted}."
    return f"This is {'text, ' if _is_text(head) else ''}not {accepted}."


def _is_text(head: bytes) -> bool:
    try:
        text = getincrementaldecoder("utf-8")().decode(head)  # The last character may be cut.
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(text)
