"""CORS: the origins whose pages may use the API from a browser.

The API uses no cookies and no other credentials of the browser. A page can therefore do no more
than any program that reaches the server, and needs an API key where one is required.
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
"""Seconds that a browser may cache a preflight response: Chromium's maximum."""


def cors_headers(origins: frozenset[str]) -> Callable[[Response], Response]:
    """Make the handler that adds the CORS headers to every response.

    Flask itself responds to preflight requests (``OPTIONS``), before authentication and admission.
    """

    def add_cors_headers(response: Response) -> Response:
        if not origins:
            return response
        if ANY_ORIGIN in origins:
            allowed_origin = ANY_ORIGIN
        else:
            response.vary.add(
                "Origin"
            )  # Otherwise a cache would serve one origin's response to another.
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
