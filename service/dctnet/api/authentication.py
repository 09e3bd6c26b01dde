"""Which requests are answered where API keys are asked for: those that show one."""

from collections.abc import Callable
from hashlib import sha256
from typing import cast

from flask import Request, Response, g, request

from dctnet.api.problems import UNAUTHORIZED, Problem
from dctnet.api_keys import ApiKeys

SCHEME = "Bearer"
HEADER = "X-Api-Key"

View = Callable[[], Response]


def require_api_key(keys: ApiKeys | None) -> Callable[[View], View]:
    """Make what puts a view behind the keys; without keys it leaves the view as it is."""

    def protect(view: View) -> View:
        if keys is None:
            return view

        def protected_view() -> Response:
            _require_key(request, keys)
            return view()

        return protected_view

    return protect


def key_digest() -> bytes | None:
    """Return a digest of the key that the request showed, None where none was asked for."""
    return cast("bytes | None", g.get("key_digest"))


def _require_key(request: Request, keys: ApiKeys) -> None:
    """Raise Problem where no header has a key; nothing of the body is read."""
    candidates = _candidate_keys(request)
    if not candidates:
        forms = f"`Authorization: {SCHEME} KEY` or `{HEADER}: KEY`"
        raise Problem(UNAUTHORIZED, f"Send an API key, as {forms}.")
    key = next(filter(keys.accept, candidates), None)
    if key is None:
        raise Problem(UNAUTHORIZED, "The API key is not valid.")
    g.key_digest = sha256(key.encode()).digest()


def _candidate_keys(request: Request) -> list[str]:
    # Not Werkzeug's `request.authorization`, which takes a key with a `=` for a list of parameters.
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == SCHEME.lower() else ""
    return [key for key in (bearer, request.headers.get(HEADER, "").strip()) if key]
