"""Polling: wait for a condition of another process or thread."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import subprocess

T = TypeVar("T")

BOUND_S = 90
"""Bound of anything that is normally immediate, on a busy machine too, in seconds."""

LONGEST_PAUSE_S = 0.25


def until(
    condition: Callable[[], T],
    what: str | Callable[[], str] = "it did not happen",
    *,
    process: "subprocess.Popen[bytes] | subprocess.Popen[str] | None" = None,
    bound_s: float = BOUND_S,
) -> T:
    """Poll until a condition is true, and return its value.

    Pauses grow with the time that has passed, so that a poll costs little and is late by a
    twentieth at most. Raises AssertionError with ``what`` after ``bound_s`` seconds, or once
    ``process`` has ended.
    """
    started = time.monotonic()
    while not (result := condition()):
        elapsed = time.monotonic() - started
        assert process is None or process.poll() is None, f"{process} has ended: {_text(what)}"
        assert elapsed < bound_s, f"after {bound_s:g} s: {_text(what)}"
        time.sleep(min(LONGEST_PAUSE_S, max(0.001, elapsed / 20)))
    return result


def _text(what: str | Callable[[], str]) -> str:
    return what if isinstance(what, str) else what()
