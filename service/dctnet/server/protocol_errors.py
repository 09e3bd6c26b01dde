"""Answers to what never became a request: headers that came too slowly, or were none."""

import json
import uuid
from dataclasses import dataclass
from http import HTTPStatus

from gunicorn.http import errors  # type: ignore[import-untyped]

from dctnet.api import request_id, security_headers
from dctnet.api.connection import TooSlow
from dctnet.api.problems import BAD_REQUEST, MEDIA_TYPE, TOO_SLOW, Kind, document
from dctnet.server.host_header import BadHost

_STATUS = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, ready to be sent."""

    status: int
    data: bytes


def answer(error: BaseException) -> Answer | None:
    """Return the answer to a client's mistake; None where the mistake is ours."""
    if isinstance(error, TooSlow):
        return _answer(TOO_SLOW, TOO_SLOW.status, "The headers did not come in time.")
    if isinstance(error, BadHost):
        return _answer(BAD_REQUEST, BAD_REQUEST.status, str(error))
    if isinstance(error, errors.ParseException):
        status = _STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
        return _answer(BAD_REQUEST, status, "This is no HTTP request that can be served.")
    return None


def _answer(kind: Kind, status: int, detail: str) -> Answer:
    identity = uuid.uuid4().hex
    members = document(kind, int(status), detail, identity)
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
    return Answer(int(status), head.encode() + body)
