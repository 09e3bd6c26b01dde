"""``GET /``: the web UI."""

from collections.abc import Callable

from flask import Response, make_response, render_template

from dctnet.api import static_files
from dctnet.config import Settings
from dctnet.engine.geometry import MAX_SHORT_SIDE
from dctnet.models.folder import DEFAULT_STYLE, ModelFolder
from dctnet.models.styles import DEMO_STYLE


def web_ui_view(model: ModelFolder, settings: Settings) -> Callable[[], Response]:
    """Make the view function."""
    paths = static_files.static_paths()

    def web_ui() -> Response:
        html = render_template(
            "index.html",
            static_paths=paths,
            model=model.label,
            is_demo=model.style == DEMO_STYLE,
            default_style=DEFAULT_STYLE,
            settings=settings,
            max_short_side=MAX_SHORT_SIDE,
        )
        response = make_response(html)
        response.headers["Cache-Control"] = "no-cache"  # It links the static files of one release.
        return response

    return web_ui
