"""``POST /upload``: the older contract, kept for the clients that know it."""

from collections.abc import Callable

from flask import Response, request

from dctnet.config import Settings
from dctnet.http.bodies import read_picture
from dctnet.http.drawing import Studio
from dctnet.models.folder import ModelFolder


def view(settings: Settings, model: ModelFolder, studio: Studio) -> Callable[[], Response]:
    """Make the view function."""

    def upload() -> Response:
        studio.require_open()
        data = read_picture(request, settings.max_bytes)
        response = studio.draw(data, "png").response(model)
        response.headers["Content-Disposition"] = "attachment; filename=result.png"
        return response

    return upload
