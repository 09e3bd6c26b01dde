"""Which requests are answered where API keys are asked for: those that show one."""

from collections.abc import Callable

from flask import Request, Response, request

from dctnet.api_keys import ApiKeys
from dctnet.http.problems import UNAUTHORIZED, Problem

SCHEME = "Bearer"
HEADER = "X-Api-Key"

View = Callable[[], Response]


def required(keys: ApiKeys | None) -> Callable[[View], View]:
    """Make what puts a view behind the keys; without keys it leaves the view as it is."""

    def protect(view: View) -> View:
        if keys is None:
            return view

        def protected() -> Response:
            _require(request, keys)
            return view()

        return protected

    return protect


def _require(request: Request, keys: ApiKeys) -> None:
    """Raise Problem where no header has a key; nothing of the body is read."""
    offered = _offered(request)
    if not offered:
        how = f"`Authorization: {SCHEME} KEY` or `{HEADER}: KEY`"
        raise Problem(UNAUTHORIZED, f"Send an API key, as {how}.")
    if not any(map(keys.accept, offered)):
        raise Problem(UNAUTHORIZED, "The API key is not valid.")


def _offered(request: Request) -> list[str]:
    # Not Werkzeug's `request.authorization`, which takes a key with a `=` for a list of parameters.
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == SCHEME.lower() else ""
    return [key for key in (bearer, request.headers.get(HEADER, "").strip()) if key]
