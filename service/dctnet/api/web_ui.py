"""``GET /``: the page for a person with a photo."""

from collections.abc import Callable

from flask import Response, make_response, render_template

from dctnet.api import static_files
from dctnet.config import Settings
from dctnet.engine.geometry import MAX_SHORT_SIDE
from dctnet.models.folder import DEFAULT_STYLE, ModelFolder
from dctnet.models.styles import DEMO_STYLE


def web_ui_view(model: ModelFolder, settings: Settings) -> Callable[[], Response]:
    """Make the view function."""
    addresses = static_files.addresses()

    def page() -> Response:
        text = render_template(
            "index.html",
            assets=addresses,
            model=model.label,
            is_demo=model.style == DEMO_STYLE,
            default_style=DEFAULT_STYLE,
            settings=settings,
            max_short_side=MAX_SHORT_SIDE,
        )
        response = make_response(text)
        response.headers["Cache-Control"] = "no-cache"  # It names the files of one release.
        return response

    return page
