"""``POST /upload``: cartoonize an image as a PNG, for existing clients."""

from collections.abc import Callable

from flask import Response, request

from dctnet.api.cartoonize import CartoonHandler


def upload_view(handler: CartoonHandler) -> Callable[[], Response]:
    """Make the view function."""

    def upload() -> Response:
        response = handler.respond(request, "png")
        response.headers["Content-Disposition"] = "attachment; filename=result.png"
        return response

    return upload
