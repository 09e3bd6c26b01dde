"""Upload body: reads the image of a request and the other fields of its form, in memory."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from dctnet.api.multipart import read_parts
from dctnet.api.problems import (
    BAD_PARAMETER,
    FORM_TOO_LARGE,
    MISSING_IMAGE,
    TOO_MANY_BYTES,
    UNSUPPORTED_FORMAT,
    Problem,
)
from dctnet.shared_limits import FORM_OVERHEAD_BYTES
from dctnet.units import MIB

FORM_FIELD = "file"

IMAGE_FIELDS = (FORM_FIELD, "image", "photo", "image_file", "files[]")
"""Fields that are taken for the image, with or without a file name."""

CHUNK_BYTES = 64 * 1024
"""Bytes of a body that are read at a time."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A request's image, and the text fields of its form."""

    image: bytes
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    """Values of each field, in their order."""


class InMemoryRequest(Request):
    """Request with uploads in memory; Werkzeug writes those over 500 kB to a file."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return BytesIO()


def max_length(request: Request, max_bytes: int) -> int:
    """Return the most bytes that the body may have, by its headers: its length if they have one.

    Raises Problem if `Content-Length` exceeds ``max_bytes``.
    """
    if request.content_length is None:  # A chunked body.
        return max_bytes + FORM_OVERHEAD_BYTES
    if request.content_length > max_bytes + (FORM_OVERHEAD_BYTES if _is_form(request) else 0):
        raise _too_many_bytes(request, max_bytes)
    return request.content_length


def require_plain_body(request: Request) -> None:
    """Raise Problem if the body is compressed; it is not read."""
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise Problem(
            UNSUPPORTED_FORMAT,
            f"The body has the Content-Encoding {coding!r}: send the image itself.",
            {"Accept-Encoding": "identity"},
        )


def read_upload(request: Request, max_bytes: int) -> Upload:
    """Return the image of the form, or else the whole body.

    Raises Problem if the image is missing or has more than ``max_bytes``, which it never reads.
    """
    try:
        upload = (_from_form if _is_form(request) else _from_body)(request, max_bytes)
    except RequestEntityTooLarge:
        raise _too_many_bytes(request, max_bytes) from None
    if len(upload.image) > max_bytes:
        raise _too_many_bytes(request, max_bytes)
    if not upload.image:
        raise Problem(
            MISSING_IMAGE,
            f"Send the image as the request body or as the field `{FORM_FIELD}` of a form.",
        )
    return upload


def _is_form(request: Request) -> bool:
    return request.mimetype == "multipart/form-data"


def _from_form(request: Request, max_bytes: int) -> Upload:
    request.max_content_length = max_bytes + FORM_OVERHEAD_BYTES
    images: list[bytes] = []
    fields: dict[str, list[str]] = {}
    text_bytes = 0
    for part in read_parts(request.stream, request.mimetype_params.get("boundary", "")):
        if part.name in IMAGE_FIELDS:
            images += [part.data] if part.data else []
            continue
        text_bytes += len(part.data)
        if text_bytes > FORM_OVERHEAD_BYTES:
            raise Problem(
                FORM_TOO_LARGE,
                f"The form has more than {FORM_OVERHEAD_BYTES} bytes beside the image in the field"
                f" `{FORM_FIELD}`.",
            )
        fields.setdefault(part.name, []).append(part.data.decode(errors="replace"))
    if len(images) > 1:
        raise Problem(
            BAD_PARAMETER, f"The form has {len(images)} images: send one request for each."
        )
    return Upload(images[0] if images else b"", fields)


def _from_body(request: Request, max_bytes: int) -> Upload:
    # One byte more, because Werkzeug silently truncates a chunked body at the limit.
    request.max_content_length = max_bytes + 1
    received = BytesIO()  # Returns its bytes without a copy; `request.get_data()` would copy them.
    shutil.copyfileobj(request.stream, received, CHUNK_BYTES)
    return Upload(received.getvalue())


def _too_many_bytes(request: Request, max_bytes: int) -> Problem:
    limit = f"at most {max_bytes} bytes ({max_bytes / MIB:.1f} MiB)"
    if _is_form(request):
        return Problem(
            TOO_MANY_BYTES,
            f"The image may have {limit}, and the form {FORM_OVERHEAD_BYTES} more.",
        )
    return Problem(TOO_MANY_BYTES, f"The image may have {limit}.")
