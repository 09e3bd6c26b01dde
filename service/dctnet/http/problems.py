"""Errors as problem documents (RFC 9457); ``docs/api.md`` lists the types."""

from dataclasses import dataclass

from flask import Response, current_app, json, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from dctnet.http import request_id
from dctnet.imaging import (
    BrokenPicture,
    PictureError,
    TooLongForFormat,
    TooManyPixels,
    UnsupportedFormat,
)

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_STARTING_S = 5
"""What a client is asked to wait for while the model loads, which takes a few seconds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of error: its stable name, its status and its title."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The ``type`` member of the document, which clients may compare with."""
        return f"urn:dctnet:problem:{self.name}"


BAD_REQUEST = Kind("bad-request", 400, "The request cannot be understood")
NO_PICTURE = Kind("no-picture", 400, "The request has no picture")
NOT_FOUND = Kind("not-found", 404, "There is nothing at this address")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This address takes another method")
TOO_MANY_BYTES = Kind("too-many-bytes", 413, "The picture has too many bytes")
TOO_MANY_PIXELS = Kind("too-many-pixels", 413, "The picture has too many pixels")
UNSUPPORTED_FORMAT = Kind("unsupported-format", 415, "The picture's format is not supported")
BROKEN_PICTURE = Kind("broken-picture", 422, "The picture cannot be decoded")
UNKNOWN_STYLE = Kind("unknown-style", 422, "This style is not loaded")
BAD_PARAMETER = Kind("bad-parameter", 422, "A parameter has a value that is not allowed")
INTERNAL = Kind("internal", 500, "The server failed")
STARTING = Kind("starting", 503, "The model is loading")

KINDS = (
    BAD_REQUEST,
    NO_PICTURE,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    TOO_MANY_BYTES,
    TOO_MANY_PIXELS,
    UNSUPPORTED_FORMAT,
    BROKEN_PICTURE,
    UNKNOWN_STYLE,
    BAD_PARAMETER,
    INTERNAL,
    STARTING,
)

_BY_PICTURE_ERROR: dict[type[PictureError], Kind] = {
    TooManyPixels: TOO_MANY_PIXELS,
    UnsupportedFormat: UNSUPPORTED_FORMAT,
    BrokenPicture: BROKEN_PICTURE,
    TooLongForFormat: BAD_PARAMETER,
}

_BY_STATUS = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 413: TOO_MANY_BYTES}


class Problem(Exception):
    """An error to answer with: its kind, and one sentence on this occurrence of it."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def answer(error: Exception) -> Response:
    """Turn whatever an endpoint raised into an answer."""
    problem = _problem(error)
    kind = problem.kind
    if request.path == "/upload":  # The older contract.
        response = _json({"error": problem.detail}, kind.status, "application/json")
    else:
        document = {
            "type": kind.type,
            "title": kind.title,
            "status": kind.status,
            "detail": problem.detail,
            "request_id": request_id.current(),
        }
        response = _json(document, kind.status, MEDIA_TYPE)
    if kind is STARTING:
        response.headers["Retry-After"] = str(RETRY_AFTER_STARTING_S)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(error.valid_methods or ())
    return response


def _json(document: dict[str, object], status: int, media_type: str) -> Response:
    return Response(json.dumps(document) + "\n", status, content_type=media_type)


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, PictureError):
        return Problem(_BY_PICTURE_ERROR[type(error)], str(error))
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        return Problem(_BY_STATUS.get(error.code, BAD_REQUEST), error.description or error.name)
    # The client learns nothing but the id, under which the log has the rest.
    identity = request_id.current()
    current_app.logger.error("request %s failed", identity, exc_info=error)
    return Problem(INTERNAL, f"The server failed; its log has the details under {identity}.")
