"""Upload body: reads the image of a request, with a size limit, in memory."""

import shutil
from io import BytesIO
from typing import IO, cast

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from dctnet.api.problems import MISSING_IMAGE, TOO_MANY_BYTES, Problem
from dctnet.config import MIB
from dctnet.shared_limits import FORM_OVERHEAD_BYTES

FORM_FIELD = "file"

CHUNK_BYTES = 64 * 1024
"""Bytes of a body that are read at a time."""


class InMemoryRequest(Request):
    """Request with uploads in memory; Werkzeug writes those over 500 kB to a file."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return BytesIO()


def require_length(request: Request, max_bytes: int) -> None:
    """Raise Problem if `Content-Length` exceeds ``max_bytes``; the body is not read."""
    allowed = max_bytes + (FORM_OVERHEAD_BYTES if _is_form(request) else 0)
    if (request.content_length or 0) > allowed:
        raise _too_many_bytes(max_bytes)


def read_image(request: Request, max_bytes: int) -> bytes:
    """Return the bytes of the form field ``file``, or else the whole body.

    Raises Problem if the image is missing or has more than ``max_bytes``, which it never reads.
    """
    try:
        data = (_from_form if _is_form(request) else _from_body)(request, max_bytes)
    except RequestEntityTooLarge:
        raise _too_many_bytes(max_bytes) from None
    if len(data) > max_bytes:
        raise _too_many_bytes(max_bytes)
    if not data:
        raise Problem(
            MISSING_IMAGE,
            f"Send the image as the request body or as the field `{FORM_FIELD}` of a form.",
        )
    return data


def _is_form(request: Request) -> bool:
    return request.mimetype == "multipart/form-data"


def _from_form(request: Request, max_bytes: int) -> bytes:
    request.max_content_length = max_bytes + FORM_OVERHEAD_BYTES
    image = request.files.get(FORM_FIELD)
    return cast("BytesIO", image.stream).getvalue() if image else b""


def _from_body(request: Request, max_bytes: int) -> bytes:
    # One byte more, because Werkzeug silently truncates a chunked body at the limit.
    request.max_content_length = max_bytes + 1
    received = BytesIO()  # Returns its bytes without a copy; `request.get_data()` would copy them.
    shutil.copyfileobj(request.stream, received, CHUNK_BYTES)
    return received.getvalue()


def _too_many_bytes(max_bytes: int) -> Problem:
    mebibytes = f"{max_bytes / MIB:.1f} MiB"
    return Problem(TOO_MANY_BYTES, f"The image may have at most {max_bytes} bytes ({mebibytes}).")
