"""Deadline of a request: `X-Request-Timeout`."""

import re

from flask import Request

from dctnet.api.problems import BAD_PARAMETER, Problem

HEADER = "X-Request-Timeout"

# A JSON number: Python's float() also accepts 1_0 and nan.
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def request_timeout(request: Request, max_seconds: float) -> float:
    """Return in how many seconds the response must be complete, at most ``max_seconds``.

    Raises Problem if the header is not a positive number.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return max_seconds
    seconds = float(text) if _NUMBER.fullmatch(text) else 0.0
    if seconds <= 0:
        raise Problem(BAD_PARAMETER, f"{HEADER} is {text!r}, but it must be seconds, such as 2.5.")
    return min(seconds, max_seconds)
