"""Cartoons from a server: one request for each style of an image."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Final

from dctnet.config import SettingsError

MAX_TRIES: Final = 10
"""Most requests for one cartoon: a busy server says when to repeat one."""

MAX_WAIT_S: Final = 60.0
"""Longest wait before a request is repeated, in seconds."""

TIMEOUT_S: Final = 120.0
"""Longest wait for a response, in seconds."""

_BUSY: Final = frozenset({429, 503})
_MAX_ERROR_BYTES: Final = 64 * 1024


class ServerError(Exception):
    """A server does not draw a cartoon; the message is one sentence."""


def parse_url(text: str) -> str:
    """Return the address of a server; raise ValueError."""
    url = urllib.parse.urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise ValueError(f"{text!r} is not an address such as https://cartoons.example.org")
    return text


class Server:
    """A dctnet server."""

    def __init__(self, url: str, api_key_file: Path | None) -> None:
        """Take the address of its API, and a file whose first key it accepts."""
        self._url = f"{url.rstrip('/')}/v1/cartoons"
        self._headers = {"Content-Type": "application/octet-stream"}
        if api_key_file is not None:
            self._headers["Authorization"] = f"Bearer {_first_key(api_key_file)}"

    def cartoonize(self, image: bytes, parameters: Mapping[str, str]) -> bytes:
        """Return the cartoon of an image file, encoded; raise ServerError.

        Repeats a request that the server rejects for now, after its `Retry-After`.
        """
        url = f"{self._url}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(url, image, self._headers)  # noqa: S310 - See parse_url.
        for left in reversed(range(MAX_TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                    return bytes(response.read())
            except urllib.error.HTTPError as error:
                with error:
                    wait = error.headers.get("Retry-After", "")
                    if not left or error.code not in _BUSY or not wait.isdecimal():
                        raise ServerError(_reason(error)) from None
            except (OSError, HTTPException) as error:
                raise ServerError(f"{self._url} cannot be reached: {error}.") from error
            time.sleep(min(float(wait), MAX_WAIT_S))
        raise AssertionError


def _first_key(path: Path) -> str:
    """Return the first key of a file, as the server reads it."""
    lines = (line.strip() for line in path.read_text().splitlines())
    key = next((line for line in lines if line and not line.startswith("#")), None)
    if key is None:
        raise SettingsError(f"{path} contains no key.")
    return key


def _reason(error: urllib.error.HTTPError) -> str:
    """Return the sentence of a problem document, or the status."""
    try:
        detail = json.loads(error.read(_MAX_ERROR_BYTES))["detail"]
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        detail = f"The server answers {error.code} {error.reason}."
    return "".join(c for c in str(detail) if c.isprintable())
