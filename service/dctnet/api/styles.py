"""``GET /v1/styles``: the available styles, which is the loaded one."""

from collections.abc import Callable
from urllib.parse import quote

from flask import Response, jsonify

from dctnet.models.folder import ModelFolder
from dctnet.models.styles import STYLES


def styles_view(model: ModelFolder) -> Callable[[], Response]:
    """Make the view function."""

    def styles() -> Response:
        return jsonify(styles=[_style_entry(model)])

    return styles


def _style_entry(model: ModelFolder) -> dict[str, str | None]:
    public_style = STYLES.get(model.style)
    return {
        "name": model.style,
        "title": model.title or (public_style.title if public_style else model.style.capitalize()),
        "model": model.model,
        "revision": model.revision,
        "digest": model.digest,
        "integrity": model.integrity,
        # Relative to this URL, so that the API works below a path prefix.
        "sample": f"styles/{quote(model.style, safe='')}/sample" if model.sample else None,
    }
