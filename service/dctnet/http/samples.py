"""``GET /v1/styles/STYLE/sample``: a picture in that style, where the model folder has one."""

from collections.abc import Callable

from flask import Response, abort, send_file

from dctnet.models.folder import KNOWN_ANSWER, ModelFolder


def exists(model: ModelFolder) -> bool:
    """Say whether there is a sample of a model: the known answer by which it proves itself."""
    return (model.path / KNOWN_ANSWER).is_file()


def view(model: ModelFolder) -> Callable[[str], Response]:
    """Make the view function."""

    def sample(style: str) -> Response:
        if style != model.style or not exists(model):
            abort(404, f"There is no sample of the style {style!r}.")
        return send_file(model.path / KNOWN_ANSWER, mimetype="image/png")

    return sample
