"""``GET /v1/styles``: the loaded styles, the default first."""

from collections.abc import Callable

from flask import Response, jsonify

from dctnet.models.styles import STYLES
from dctnet.replica import Replica


def styles_view(replica: Replica) -> Callable[[], Response]:
    """Make the view function."""

    def styles() -> Response:
        return jsonify(styles=[_style_entry(replica, style) for style in replica.models])

    return styles


def _style_entry(replica: Replica, style: str) -> dict[str, str | bool | None]:
    model = replica.models[style]
    return {
        "name": style,
        "title": model.title or _title(style),
        "default": style == replica.default_style,
        "model": model.model,
        "revision": model.revision,
        "digest": model.digest,
        "integrity": model.integrity,
        "runtime": replica.runtime(style),
        # Relative to this URL, so that the API works below a path prefix.
        "sample": f"styles/{style}/sample" if style in replica.samples else None,
    }


def _title(style: str) -> str:
    return STYLES[style].title if style in STYLES else style.capitalize()
