"""``GET /``: the web UI."""

from collections.abc import Callable

from flask import Response, make_response, render_template

from dctnet.api import static_files
from dctnet.engine.geometry import MAX_SHORT_SIDE
from dctnet.engine.landmarks import MIN_FACE_SIDE
from dctnet.models.styles import SHIPPED_STYLES
from dctnet.replica import Replica


def web_ui_view(replica: Replica) -> Callable[[], Response]:
    """Make the view function."""
    paths = static_files.static_paths()

    def web_ui() -> Response:
        html = render_template(
            "index.html",
            static_paths=paths,
            models=[model.label for model in replica.models.values()],
            only_shipped=set(replica.models) <= set(SHIPPED_STYLES),
            settings=replica.settings,
            max_short_side=MAX_SHORT_SIDE,
            min_face_side=MIN_FACE_SIDE,
        )
        response = make_response(html)
        response.headers["Cache-Control"] = "no-cache"  # It links the static files of one release.
        return response

    return web_ui
