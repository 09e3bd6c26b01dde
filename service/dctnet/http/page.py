"""``GET /``: the page for a person with a photo."""

from collections.abc import Callable

from flask import render_template

from dctnet.http import assets
from dctnet.loading import label
from dctnet.models.folder import DEFAULT_STYLE, ModelFolder
from dctnet.models.styles import DEMO_STYLE


def view(model: ModelFolder) -> Callable[[], str]:
    """Make the view function."""
    names = assets.names()

    def page() -> str:
        return render_template(
            "index.html",
            assets=names,
            model=label(model),
            is_demo=model.style == DEMO_STYLE,
            default_style=DEFAULT_STYLE,
        )

    return page
