"""JPEG files: segments with markers, and scans of coded pixels."""

import re
from collections.abc import Iterator
from typing import Final

from dctnet.imaging.container import MAX_PROFILE_BYTES, Container
from dctnet.imaging.errors import DamagedImage, UnsupportedFormat
from dctnet.imaging.exif import orientation

SIGNATURE: Final = b"\xff\xd8\xff"

END: Final = b"\xff\xd9"

OTHER_END: Final = b"\xaa\xd5\x5b\xd3" * 256 + END
"""The end after more coded pixels, of which a complete image takes none. After an early end,
libjpeg takes zeros."""

MAX_SCANS: Final = 50
"""Limit of scans. Encoders write at most 18; each, of a few bytes, costs a pass over the image."""

MAX_SEGMENTS: Final = 4096
"""Limit of segments: enough for 256 MiB of metadata in segments of 64 KiB."""

_BITS: Final = 8
"""Bits per channel that libjpeg decodes."""

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_DHT, _DAC, _DQT, _DRI = 0xC4, 0xCC, 0xDB, 0xDD
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, _DAC}
# APP0 (JFIF) and APP14 (Adobe) determine the colour space.
_KEPT: Final = _FRAMES | {_DHT, _DAC, _DQT, _DRI, _APP0, _APP14}

# In coded pixels 0xff occurs only before 0 and in the markers d0 to d7.
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_LABELS: Final = {_APP0: (b"JFIF\0", 14), _APP14: (b"Adobe", 12)}
"""Label and least length of segments that libjpeg ignores if they are shorter."""

_EXIF_LABEL: Final = b"Exif\0"
_PROFILE_LABEL: Final = b"ICC_PROFILE\0"


def read(data: bytes) -> Container:
    """Parse a JPEG file as libjpeg does; keep only the segments that the pixels need.

    Drops metadata, because Pillow reads all of it, partly in quadratic time, and everything after
    the end of the first image, such as the other images of an MPO.

    Raises:
        UnsupportedFormat: Its channels have more than 8 bits.
        DamagedImage: There is no frame header or more than one, or more than ``MAX_SCANS`` or
            ``MAX_SEGMENTS``.
    """
    kept = [bytes((0xFF, _SOI))]
    frame = exif = b""
    profile: list[bytes] = []
    for marker, start, end in _segments(data, len(SIGNATURE) - 1):
        if marker == _SOS:
            scans, is_ended = _read_scans(data, start)
            kept.append(scans)
            break
        body = data[start + 4 : end]
        if marker in _FRAMES:
            if frame:
                raise DamagedImage("The JPEG is damaged: it has two frame headers.")
            frame = body
        if marker in _KEPT and (marker not in _LABELS or _is_complete(marker, body)):
            kept.append(data[start:end])
        elif marker == _APP1 and body.startswith(_EXIF_LABEL):
            exif = exif or body
        elif marker == _APP2 and body.startswith(_PROFILE_LABEL):
            profile.append(body.removeprefix(_PROFILE_LABEL))
    else:
        raise DamagedImage("The JPEG is damaged or cut off before its pixels.")
    if len(frame) < 6:
        raise DamagedImage("The JPEG is damaged: it has no frame header.")
    if frame[0] != _BITS:
        raise UnsupportedFormat(
            f"The JPEG has {frame[0]} bits per channel; those of {_BITS} are decoded."
        )
    return Container(
        "JPEG",
        width=int.from_bytes(frame[3:5]),
        height=int.from_bytes(frame[1:3]),
        data=b"".join(kept),
        is_ended=is_ended,
        profile=_join_profile(profile),
        orientation=orientation(exif),
    )


def _segments(data: bytes, position: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment, up to and including EOI."""
    segments = 0
    while found := _MARKER.search(data, position):
        start, position = found.span()
        marker = data[position - 1]
        segments += 1
        if segments > MAX_SEGMENTS:
            raise DamagedImage(f"The JPEG has more than {MAX_SEGMENTS} segments.")
        if marker >= min(_FRAMES) and marker not in {_SOI, _EOI}:
            position += max(2, int.from_bytes(data[position : position + 2]))
        yield marker, start, position
        if marker == _EOI:
            return


def _read_scans(data: bytes, first: int) -> tuple[bytes, bool]:
    """Return the bytes from the first scan to EOI, and whether there is one; check the scans."""
    scans, end, is_ended = 0, len(data), False
    for marker, _, position in _segments(data, first):
        if marker == _EOI:
            end, is_ended = position, True
        scans += marker == _SOS
        if scans > MAX_SCANS:
            raise DamagedImage(f"The JPEG has more than {MAX_SCANS} scans.")
    return data[first:end], is_ended


def _is_complete(marker: int, body: bytes) -> bool:
    label, length = _LABELS[marker]
    return body.startswith(label) and len(body) >= length


def _join_profile(parts: list[bytes]) -> bytes:
    """Join the parts of a profile, which start with their number, from 1, and their count."""
    ordered = sorted(parts)
    numbers = [(part[:1], part[1:2]) for part in ordered]
    total = bytes((len(parts) % 256,))
    if numbers != [(bytes((n % 256,)), total) for n in range(1, len(parts) + 1)]:
        return b""
    joined = b"".join(part[2:] for part in ordered)
    return joined if len(joined) <= MAX_PROFILE_BYTES else b""
