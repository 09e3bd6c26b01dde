"""``GET /static/…``: what the page needs, under names that change with the content."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from flask import Response, abort, send_file

FOLDER = Path(__file__).parent / "static"
YEAR_S = 365 * 24 * 60 * 60
DIGITS = 16
"""How many hexadecimal digits of the content's sha256 a name has."""


def names() -> dict[str, str]:
    """Return under which name each file is served, such as ``page.0123456789abcdef.css``."""
    return {path.name: _served_as(path) for path in sorted(FOLDER.iterdir())}


def _served_as(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]
    return f"{path.stem}.{digest}{path.suffix}"


def view() -> Callable[[str], Response]:
    """Make the view function."""
    files = {served_as: FOLDER / name for name, served_as in names().items()}

    def asset(name: str) -> Response:
        if name not in files:  # Of another release, which a cache or another replica may have.
            abort(404)
        response = send_file(files[name], max_age=YEAR_S)
        response.cache_control.public = True
        response.cache_control.immutable = True
        return response

    return asset
