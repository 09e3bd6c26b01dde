"""Protocol errors: responses to late, malformed or oversized request heads."""

import json
import uuid
from dataclasses import dataclass
from http import HTTPStatus

from gunicorn.http import errors  # type: ignore[import-untyped]

from dctnet.api import request_id, security_headers
from dctnet.api.connection import ReadTimeout
from dctnet.api.problems import BAD_REQUEST, MEDIA_TYPE, READ_TIMEOUT, ProblemType, problem_document
from dctnet.server.head_limits import (
    MAX_HEAD_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_REQUEST_LINE_BYTES,
)
from dctnet.server.host_header import InvalidHost

_STATUS = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A complete response, as bytes."""

    status: int
    data: bytes


def protocol_error_response(error: BaseException) -> ErrorResponse | None:
    """Return the response to a client's error; None for a server error."""
    if isinstance(error, ReadTimeout):
        detail = "The headers were not received in time."
        return _problem_response(READ_TIMEOUT, READ_TIMEOUT.status, detail)
    if isinstance(error, InvalidHost):
        return _problem_response(BAD_REQUEST, BAD_REQUEST.status, str(error))
    if isinstance(error, errors.ParseException):
        status = _STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
        detail = _exceeded_limit(error) or "The HTTP request is malformed or not supported."
        return _problem_response(BAD_REQUEST, status, detail)
    return None


def _exceeded_limit(error: errors.ParseException) -> str | None:
    """Return which limit of a request head was exceeded, if one was."""
    if isinstance(error, errors.LimitRequestLine):
        return f"The request line has more than {MAX_REQUEST_LINE_BYTES} bytes."
    if not isinstance(error, errors.LimitRequestHeaders):
        return None
    if error.msg == "limit request headers fields":
        return f"The request has more than {MAX_HEADERS} headers."
    if error.msg == "limit request headers fields size":
        return f"A header has more than {MAX_HEADER_BYTES} bytes."
    return f"The request line and all headers have more than {MAX_HEAD_BYTES} bytes."


def _problem_response(problem_type: ProblemType, status: int, detail: str) -> ErrorResponse:
    identity = uuid.uuid4().hex
    members = problem_document(problem_type, int(status), detail, identity)
    body = json.dumps(members).encode() + b"\n"
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": len(body),
        "Connection": "close",
        request_id.HEADER: identity,
        **security_headers.HEADERS,
    }
    first = f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}"
    head = "\r\n".join([first, *(f"{name}: {value}" for name, value in headers.items()), "", ""])
    return ErrorResponse(int(status), head.encode() + body)
