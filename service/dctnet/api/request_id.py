"""A name for each request, so that a client's report and a line of the log can be matched."""

import re
import uuid

from flask import Response, g, request

HEADER = "X-Request-Id"

# What proxies and tracers send; anything else could forge a line of the log.
_VALID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def assign_request_id() -> None:
    """Take the client's id if it is sane, else make one."""
    client_id = request.headers.get(HEADER, "")
    g.request_id = client_id if _VALID.fullmatch(client_id) else uuid.uuid4().hex


def current_request_id() -> str:
    """Return the id of the request that is being answered."""
    return str(g.request_id)


def add_request_id(response: Response) -> Response:
    """Put the id into the answer, whatever it is."""
    response.headers[HEADER] = current_request_id()
    return response
