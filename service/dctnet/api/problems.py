"""Problem documents (RFC 9457) for errors; ``docs/api.md`` lists the types."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from flask import Response, current_app, json, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from dctnet.admission import (
    MIN_RETRY_AFTER_S,
    AdmissionStopped,
    ClientDisconnected,
    DeadlineExceeded,
    Rejected,
    RejectionReason,
)
from dctnet.api import access_log, request_id
from dctnet.api.connection import ReadTimeout, UploadAborted
from dctnet.codecs.errors import CodecTimeout
from dctnet.imaging import (
    DamagedImage,
    ImageError,
    TooLongForFormat,
    TooManyPixels,
    UnsupportedFormat,
)

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_OUT_OF_MEMORY_S = 5
"""`Retry-After` when out of memory, in seconds: the time of a large image."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """Problem type: its stable slug, its status and its title."""

    slug: str
    status: int
    title: str

    @property
    def uri(self) -> str:
        """The ``type`` member of the document, which programs compare."""
        return f"urn:dctnet:problem:{self.slug}"


BAD_REQUEST = ProblemType("bad-request", 400, "Bad request")
MISSING_IMAGE = ProblemType("missing-image", 400, "Missing image")
UNAUTHORIZED = ProblemType("unauthorized", 401, "API key required")
NOT_FOUND = ProblemType("not-found", 404, "Not found")
METHOD_NOT_ALLOWED = ProblemType("method-not-allowed", 405, "Method not allowed")
READ_TIMEOUT = ProblemType("read-timeout", 408, "Request received too slowly")
TOO_MANY_BYTES = ProblemType("too-many-bytes", 413, "Image has too many bytes")
FORM_TOO_LARGE = ProblemType("form-too-large", 413, "Form is too large")
TOO_MANY_PIXELS = ProblemType("too-many-pixels", 413, "Image has too many pixels")
UNSUPPORTED_FORMAT = ProblemType("unsupported-format", 415, "Unsupported image format")
DAMAGED_IMAGE = ProblemType("damaged-image", 422, "Image cannot be decoded")
DEADLINE_TOO_SHORT = ProblemType("deadline-too-short", 422, "Deadline is too short")
UNKNOWN_STYLE = ProblemType("unknown-style", 422, "Style is not loaded")
BAD_PARAMETER = ProblemType("bad-parameter", 422, "Invalid parameter value")
OVERLOADED = ProblemType("overloaded", 429, "Server is overloaded")
CLIENT_DISCONNECTED = ProblemType("client-disconnected", 499, "Client closed the request")
INTERNAL_ERROR = ProblemType("internal-error", 500, "Internal server error")
STARTING = ProblemType("starting", 503, "Model is loading")
OUT_OF_MEMORY = ProblemType("out-of-memory", 503, "Server is out of memory")
DRAINING = ProblemType("draining", 503, "Server is shutting down")
DEADLINE_EXCEEDED = ProblemType("deadline-exceeded", 504, "Deadline exceeded")

PROBLEM_TYPES = (
    BAD_REQUEST,
    MISSING_IMAGE,
    UNAUTHORIZED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    READ_TIMEOUT,
    TOO_MANY_BYTES,
    FORM_TOO_LARGE,
    TOO_MANY_PIXELS,
    UNSUPPORTED_FORMAT,
    DAMAGED_IMAGE,
    DEADLINE_TOO_SHORT,
    UNKNOWN_STYLE,
    BAD_PARAMETER,
    OVERLOADED,
    CLIENT_DISCONNECTED,
    INTERNAL_ERROR,
    STARTING,
    OUT_OF_MEMORY,
    DRAINING,
    DEADLINE_EXCEEDED,
)

_BY_IMAGE_ERROR: dict[type[ImageError], ProblemType] = {
    TooManyPixels: TOO_MANY_PIXELS,
    UnsupportedFormat: UNSUPPORTED_FORMAT,
    DamagedImage: DAMAGED_IMAGE,
    TooLongForFormat: BAD_PARAMETER,
}

_BY_REASON: dict[RejectionReason, tuple[ProblemType, str]] = {
    RejectionReason.STARTING: (STARTING, "The model is still loading."),
    RejectionReason.DRAINING: (DRAINING, "The server is shutting down."),
    RejectionReason.QUEUE_FULL: (OVERLOADED, "The queue is full."),
    RejectionReason.QUOTA: (
        OVERLOADED,
        "This client has too many or too large images queued.",
    ),
    RejectionReason.DEADLINE: (OVERLOADED, "The image cannot be finished before its deadline."),
    RejectionReason.UPLOAD_LIMIT: (OVERLOADED, "Too many uploads are in progress."),
    RejectionReason.WAITING_BYTES: (
        OVERLOADED,
        "The images that are uploading or queued leave no room for one of this size.",
    ),
}

_BY_ERROR: dict[type[Exception], tuple[ProblemType, str]] = {
    ReadTimeout: (READ_TIMEOUT, "The image was not received fast enough."),
    DeadlineExceeded: (
        DEADLINE_EXCEEDED,
        "The cartoon was not ready before the request's deadline.",
    ),
    CodecTimeout: (
        DEADLINE_EXCEEDED,
        "The image, or its cartoon, took too long to decode or encode.",
    ),
    ClientDisconnected: (
        CLIENT_DISCONNECTED,
        "The client closed the connection while its image was queued.",
    ),
    UploadAborted: (
        CLIENT_DISCONNECTED,
        "The client closed the connection before its image was received.",
    ),
    AdmissionStopped: (DRAINING, "The server shut down before it could process the image."),
    MemoryError: (
        OUT_OF_MEMORY,
        "Not enough memory for this image at the moment; try again later.",
    ),
}

_BY_STATUS = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 413: TOO_MANY_BYTES}


class Problem(Exception):
    """Error response of a type, with a sentence about this occurrence."""

    def __init__(
        self, problem_type: ProblemType, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.type = problem_type
        self.detail = detail
        self.headers = headers or {}


def problem_document(
    problem_type: ProblemType, status: int, detail: str, identity: str
) -> dict[str, object]:
    """Return the members of a problem document; ``identity`` is the request ID."""
    return {
        "type": problem_type.uri,
        "title": problem_type.title,
        "status": status,
        "detail": detail,
        "request_id": identity,
    }


def error_response(error: Exception) -> Response:
    """Convert an exception of a view to a response."""
    problem = _problem(error)
    problem_type = problem.type
    if request.path == "/upload":  # Existing clients of this route expect its format.
        response = _json({"error": problem.detail}, problem_type.status, "application/json")
    else:
        members = problem_document(
            problem_type, problem_type.status, problem.detail, request_id.current_request_id()
        )
        members |= _rejection(error)
        response = _json(members, problem_type.status, MEDIA_TYPE)
    response.headers.update(problem.headers)
    if problem_type is UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if rejection := _rejection(error):
        response.headers["Retry-After"] = str(rejection["retry_after"])
    if isinstance(error, Rejected | AdmissionStopped):
        access_log.add_fields(rejected=_rejection(error)["reason"])
    if isinstance(error, MemoryError):
        current_app.logger.error(
            "request %s: out of memory: %s", request_id.current_request_id(), error
        )
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(error.valid_methods or ())
    return response


def _advice() -> str:
    """Return what to do about a body that a client may have changed."""
    if request.mimetype != "application/x-www-form-urlencoded":
        return ""
    return " With curl, send it by --data-binary or -F file=@FILE: -d removes line breaks."


def _rejection(error: Exception) -> dict[str, str | int]:
    """Return why a request is rejected for now, and in how many seconds to repeat it."""
    if isinstance(error, Rejected):
        return {"reason": str(error.reason), "retry_after": ceil(error.retry_after)}
    if isinstance(error, AdmissionStopped):
        return {"reason": str(RejectionReason.DRAINING), "retry_after": ceil(MIN_RETRY_AFTER_S)}
    if isinstance(error, MemoryError):
        return {"reason": "out_of_memory", "retry_after": RETRY_AFTER_OUT_OF_MEMORY_S}
    return {}


def _json(members: dict[str, object], status: int, media_type: str) -> Response:
    return Response(json.dumps(members) + "\n", status, content_type=media_type)


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, Rejected):
        return Problem(*_BY_REASON[error.reason])
    for error_type, problem in _BY_ERROR.items():
        if isinstance(error, error_type):  # NumPy raises a subclass of MemoryError.
            return Problem(*problem)
    if isinstance(error, ImageError):
        return Problem(_BY_IMAGE_ERROR[type(error)], f"{error}{_advice()}")
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        return Problem(_BY_STATUS.get(error.code, BAD_REQUEST), error.description or error.name)
    # The client gets the request ID only; the log has the details.
    identity = request_id.current_request_id()
    current_app.logger.error("request %s failed", identity, exc_info=error)
    return Problem(INTERNAL_ERROR, f"The server failed; its log has the details under {identity}.")
