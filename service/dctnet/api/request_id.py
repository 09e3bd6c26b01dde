"""Request ID, which links a response to its line in the access log."""

import re
import uuid

from flask import Response, g, request

HEADER = "X-Request-Id"

# Covers the IDs of proxies and tracers; other characters could forge a log line.
_VALID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def assign_request_id() -> None:
    """Accept the client's request ID if it is valid, otherwise generate one."""
    client_id = request.headers.get(HEADER, "")
    g.request_id = client_id if _VALID.fullmatch(client_id) else uuid.uuid4().hex


def current_request_id() -> str:
    """Return the ID of the current request."""
    return str(g.request_id)


def add_request_id(response: Response) -> Response:
    """Add the request ID to every response."""
    response.headers[HEADER] = current_request_id()
    return response
