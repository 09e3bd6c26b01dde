"""``POST /v1/cartoons``: cartoonize an image."""

from collections.abc import Callable

from flask import Response, request

from dctnet.api.cartoonize import CartoonHandler
from dctnet.api.problems import BAD_PARAMETER, UNKNOWN_STYLE, Problem
from dctnet.imaging import MEDIA_TYPES, Format
from dctnet.models.folder import ModelFolder


def cartoons_view(model: ModelFolder, handler: CartoonHandler) -> Callable[[], Response]:
    """Make the view function."""

    def cartoons() -> Response:
        _require_style(model)
        return handler.respond(request, _requested_format())

    return cartoons


def _require_style(model: ModelFolder) -> None:
    style = request.args.get("style", model.style)
    if style != model.style:
        raise Problem(UNKNOWN_STYLE, f"The style {style!r} is not loaded; {model.style!r} is.")


def _requested_format() -> Format:
    text = request.args.get("format", "png")
    for format in MEDIA_TYPES:
        if text == format:
            return format
    raise Problem(BAD_PARAMETER, f"The format {text!r} is none of {', '.join(MEDIA_TYPES)}.")
