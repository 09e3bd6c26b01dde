"""Rejection of paths that begin with an empty segment."""

from flask import abort, request


def reject_empty_segment() -> None:
    """Respond with 404 if a path begins with two slashes.

    Werkzeug would drop the first slash, which bypasses a proxy's rules for a path prefix.
    """
    if request.environ["PATH_INFO"].startswith("//"):
        abort(404)
