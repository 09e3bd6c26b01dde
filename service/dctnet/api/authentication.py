"""API-key authentication: `Authorization: Bearer KEY` or `X-Api-Key: KEY`."""

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
    """Make the decorator that requires an API key; without keys it changes nothing."""

    def protect(view: View) -> View:
        if keys is None:
            return view

        def protected_view() -> Response:
            _require_key(request, keys)
            return view()

        return protected_view

    return protect


def key_digest() -> bytes | None:
    """Return the SHA-256 digest of the request's API key, None if none is required."""
    return cast("bytes | None", g.get("key_digest"))


def _require_key(request: Request, keys: ApiKeys) -> None:
    """Raise Problem if no header has a valid key; the body is not read."""
    candidates = _candidate_keys(request)
    if not candidates:
        forms = f"`Authorization: {SCHEME} KEY` or `{HEADER}: KEY`"
        raise Problem(UNAUTHORIZED, f"Send an API key, as {forms}.")
    key = next(filter(keys.accept, candidates), None)
    if key is None:
        raise Problem(UNAUTHORIZED, "The API key is not valid.")
    g.key_digest = sha256(key.encode()).digest()


def _candidate_keys(request: Request) -> list[str]:
    # Werkzeug's `request.authorization` parses a key with a `=` as a list of parameters.
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == SCHEME.lower() else ""
    return [key for key in (bearer, request.headers.get(HEADER, "").strip()) if key]
