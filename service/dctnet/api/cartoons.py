"""``POST /v1/cartoons``: cartoonize an image."""

from collections.abc import Callable
from typing import TypeVar

from flask import Response, request

from dctnet.api.cartoonize import CartoonHandler
from dctnet.api.problems import BAD_PARAMETER, Problem
from dctnet.cartoon_options import parse_size, parse_strength
from dctnet.imaging import MEDIA_TYPES, Format

T = TypeVar("T")


def cartoons_view(handler: CartoonHandler) -> Callable[[], Response]:
    """Make the view function."""

    def cartoons() -> Response:
        return handler.respond(
            request,
            _requested_format(),
            strength=_requested_option("strength", parse_strength, 1.0),
            max_side=_requested_option("size", parse_size, None),
        )

    return cartoons


def _requested_format() -> Format:
    text = request.args.get("format", "png")
    for format in MEDIA_TYPES:
        if text == format:
            return format
    raise Problem(BAD_PARAMETER, f"The format {text!r} is none of {', '.join(MEDIA_TYPES)}.")


def _requested_option(name: str, parse: Callable[[str], T], default: T) -> T:
    values = request.args.getlist(name)
    if len(values) > 1:
        raise Problem(BAD_PARAMETER, f"The query has {len(values)} values of {name}; send one.")
    try:
        return parse(values[0]) if values else default
    except ValueError as error:
        raise Problem(BAD_PARAMETER, f"The {name} {error}.") from None
