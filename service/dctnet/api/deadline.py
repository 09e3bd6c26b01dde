"""Deadline of a request: `X-Request-Timeout`."""

import re
from time import monotonic

from flask import Request

from dctnet.api.problems import BAD_PARAMETER, Problem

HEADER = "X-Request-Timeout"

# A JSON number: Python's float() also accepts 1_0 and nan.
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def request_deadline(request: Request, max_seconds: float) -> float:
    """Return the monotonic time by which the response must be complete.

    It is at most ``max_seconds`` away. Raises Problem if the header is not a positive number.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return monotonic() + max_seconds
    seconds = float(text) if _NUMBER.fullmatch(text) else 0.0
    if seconds <= 0:
        raise Problem(BAD_PARAMETER, f"{HEADER} is {text!r}, but it must be seconds, such as 2.5.")
    return monotonic() + min(seconds, max_seconds)
