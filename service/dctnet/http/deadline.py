"""Until when a request must be answered."""

from time import monotonic

from flask import Request

from dctnet.http.problems import BAD_PARAMETER, Problem

HEADER = "X-Request-Timeout"


def of(request: Request, most: float) -> float:
    """Return the monotonic time by which the client wants its answer, at most in ``most`` seconds.

    Raises Problem where the header is no positive number of seconds.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return monotonic() + most
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:  # Also where it is no number.
        raise Problem(BAD_PARAMETER, f"{HEADER} is {text!r}, but it must be seconds, such as 2.5.")
    return monotonic() + min(seconds, most)
