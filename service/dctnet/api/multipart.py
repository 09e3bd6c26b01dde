"""Forms of the type multipart/form-data (RFC 7578), read from a stream into memory.

Werkzeug's own parser decodes parts without a file name as text, even images.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Final

from werkzeug.datastructures import Headers
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from dctnet.api.problems import BAD_REQUEST, Problem

MAX_PARTS: Final = 1000
"""Limit of parts in a form."""

CHUNK_BYTES: Final = 64 * 1024
"""Bytes of a form that are read at a time."""

MAX_BOUNDARY_LENGTH: Final = 200
"""Limit of a boundary in characters. RFC 2046, 5.1.1, allows 70, but some clients write more."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form."""

    name: str
    """Name of the form field; empty if the part has none."""
    data: bytes


class _Decoder(MultipartDecoder):
    """Decoder that accepts file names in any encoding: they are not used."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        return super()._parse_headers(data.decode(errors="replace").encode())


def read_parts(stream: IO[bytes], boundary: str) -> Iterator[Part]:
    """Yield the parts of a form; raise Problem if it is malformed, cut off or has too many."""
    if not boundary or len(boundary) > MAX_BOUNDARY_LENGTH or not boundary.isascii():
        raise Problem(
            BAD_REQUEST,
            "The Content-Type multipart/form-data names no boundary: let the HTTP client set this"
            " header, with the boundary that it writes.",
        )
    decoder = _Decoder(boundary.encode())
    name, data, count = "", BytesIO(), 0
    try:
        while not isinstance(event := decoder.next_event(), Epilogue):
            if isinstance(event, NeedData):
                decoder.receive_data(stream.read(CHUNK_BYTES) or None)
            elif isinstance(event, Field | File):
                name, data, count = event.name or "", BytesIO(), count + 1
                if count > MAX_PARTS:
                    raise Problem(BAD_REQUEST, f"The form has more than {MAX_PARTS} parts.")
            elif isinstance(event, Data):
                data.write(event.data)
                if not event.more_data:
                    yield Part(name, data.getvalue())
    except ValueError:
        raise Problem(BAD_REQUEST, _malformed(boundary, count)) from None


def _malformed(boundary: str, parts: int) -> str:
    if parts:
        return f"The form is damaged or cut off in its part {parts}."
    return f"The form has no part that starts with the boundary of its Content-Type, {boundary!r}."
