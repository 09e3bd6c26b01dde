"""Path normalization that the routes do without."""

from flask import abort, request


def reject_empty_segment() -> None:
    """Answer 404 where a path begins with two slashes: Werkzeug would drop the first.

    A proxy that guards a path by its prefix would otherwise be bypassed.
    """
    if request.environ["PATH_INFO"].startswith("//"):
        abort(404)
