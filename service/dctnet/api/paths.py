"""Paths of requests: a prefix that proxies keep, and empty segments."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import abort, redirect, request
from werkzeug import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def strip_prefix(app: "WSGIApplication", prefix: str) -> "WSGIApplication":
    """Return the application with the same paths below a prefix, too.

    A proxy may serve it at a path of a host that it shares with others. In the cluster, clients
    need not know that path.
    """

    def wrapped(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["SCRIPT_NAME"] = prefix
            environ["PATH_INFO"] = path.removeprefix(prefix)
        return app(environ, start_response)

    return wrapped


def add_slash() -> Response | None:
    """Redirect from the prefix to the web UI below it, whose links are relative to it."""
    if request.environ["PATH_INFO"]:
        return None
    query = request.query_string.decode("latin-1")
    location = request.script_root.rpartition("/")[2] + "/" + (f"?{query}" if query else "")
    return redirect(location, 308)


def reject_empty_segment() -> None:
    """Respond with 404 if a path begins with two slashes.

    Werkzeug would drop the first slash, which bypasses a proxy's rules for a path prefix.
    """
    if request.environ["PATH_INFO"].startswith("//"):
        abort(404)
