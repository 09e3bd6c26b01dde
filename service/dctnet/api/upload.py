"""``POST /upload``: cartoonize an image as a PNG, for existing clients."""

from collections.abc import Callable

from flask import Response, request

from dctnet.api.cartoonize import CartoonHandler
from dctnet.api.options import CartoonOptions, Fields, loaded_style
from dctnet.replica import Replica

DEPRECATION = "@1795996800"
"""Since when clients should use the successor, 2026-11-30 UTC (RFC 9745)."""

SUCCESSOR = '<v1/cartoons>; rel="successor-version"'
"""Relative, because a proxy may add a prefix to the path."""


def deprecation_headers(response: Response) -> Response:
    """Say in every response of the route that it has a successor."""
    if request.path == "/upload":
        response.headers["Deprecation"] = DEPRECATION
        response.headers["Link"] = SUCCESSOR
    return response


def upload_view(handler: CartoonHandler, replica: Replica) -> Callable[[], Response]:
    """Make the view function."""

    def options(_: Fields) -> CartoonOptions:
        return CartoonOptions(loaded_style(request.args.get("style"), replica))

    def upload() -> Response:
        response = handler.respond(request, options)
        response.headers["Content-Disposition"] = "attachment; filename=result.png"
        return response

    return upload
