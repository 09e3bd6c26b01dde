"""``POST /v1/cartoons``: a picture in, its cartoon out."""

from collections.abc import Callable

from flask import Response, request

from dctnet.config import Settings
from dctnet.http.bodies import read_picture
from dctnet.http.drawing import Studio
from dctnet.http.problems import BAD_PARAMETER, UNKNOWN_STYLE, Problem
from dctnet.imaging import MEDIA_TYPES, Format
from dctnet.models.folder import ModelFolder


def view(settings: Settings, model: ModelFolder, studio: Studio) -> Callable[[], Response]:
    """Make the view function."""

    def cartoons() -> Response:
        studio.require_open()
        _require_style(model)
        format = _format()
        data = read_picture(request, settings.max_bytes)
        return studio.draw(data, format).response(model)

    return cartoons


def _require_style(model: ModelFolder) -> None:
    style = request.args.get("style", model.style)
    if style != model.style:
        raise Problem(UNKNOWN_STYLE, f"The style {style!r} is not loaded; {model.style!r} is.")


def _format() -> Format:
    text = request.args.get("format", "png")
    for format in MEDIA_TYPES:
        if text == format:
            return format
    raise Problem(BAD_PARAMETER, f"The format {text!r} is none of {', '.join(MEDIA_TYPES)}.")
