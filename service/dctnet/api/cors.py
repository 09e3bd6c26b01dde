"""Which pages of other sites may use the API from a browser: those of the configured origins.

No cookie or other credential of the browser's counts here, so a page can do no more with it than
any program that reaches the server: what an API key opens, the page must have the key for.
"""

from collections.abc import Callable

from flask import Response, request

from dctnet.api import authentication, cartoonize, deadline, queue_tickets, request_id
from dctnet.config import ANY_ORIGIN

METHODS = "GET, HEAD, POST"
REQUEST_HEADERS = ", ".join(
    [
        "Authorization",
        authentication.HEADER,
        "Content-Type",
        deadline.HEADER,
        request_id.HEADER,
        queue_tickets.HEADER,
    ]
)
EXPOSED_HEADERS = ", ".join(
    [
        cartoonize.MODEL_HEADER,
        cartoonize.FACES_HEADER,
        cartoonize.TIMING_HEADER,
        request_id.HEADER,
        "Retry-After",
    ]
)

MAX_AGE_S = 2 * 60 * 60
"""How long a browser may remember what it was allowed_origin; none remembers it for a day."""


def cors_headers(origins: frozenset[str]) -> Callable[[Response], Response]:
    """Make what tells the browser, in every answer, that the page may read it.

    What a browser asks beforehand (an ``OPTIONS`` request) is answered by Flask itself, before a
    key, a slot or a place in the queue is thought of.
    """

    def add_cors_headers(response: Response) -> Response:
        if not origins:
            return response
        if ANY_ORIGIN in origins:
            allowed_origin = ANY_ORIGIN
        else:
            response.vary.add("Origin")  # Or a cache would give one site's answer to another.
            allowed_origin = request.headers.get("Origin", "")
            if allowed_origin not in origins:
                return response
        response.headers["Access-Control-Allow-Origin"] = allowed_origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        if "Access-Control-Request-Method" in request.headers:
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            response.headers["Access-Control-Max-Age"] = str(MAX_AGE_S)
        return response

    return add_cors_headers
