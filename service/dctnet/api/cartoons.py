"""``POST /v1/cartoons``: cartoonize an image."""

from collections.abc import Callable

from flask import Response, request

from dctnet.api.cartoonize import CartoonHandler
from dctnet.api.options import cartoon_options
from dctnet.replica import Replica


def cartoons_view(handler: CartoonHandler, replica: Replica) -> Callable[[], Response]:
    """Make the view function."""

    def cartoons() -> Response:
        return handler.respond(request, lambda fields: cartoon_options(request, fields, replica))

    return cartoons
