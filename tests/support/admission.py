"""A clock that the test turns, work that the test ends, and clients that wait in threads."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

BOUND_S = 30.0
"""How long anything may take that takes a moment, in seconds."""


FAR = 1e9
"""A deadline that nothing passes and no prediction reaches, in seconds of the clock."""


class Clock:
    """A clock that stands still until the test turns it."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


class Thing:
    """A body or an answer, whose life a weak reference tells."""


class WorkFailed(Exception):
    """What the work of a picture raises where the test wants it to."""


class Work:
    """A picture's work: called with its body, it computes until the test ends it."""

    def __init__(self) -> None:
        self.runs = 0
        self.started = Event()
        self._ended = Event()
        self._end: Callable[[], object] = Thing

    def __call__(self, _body: object = None) -> object:
        self.runs += 1
        self.started.set()
        assert self._ended.wait(BOUND_S)
        return self._end()

    def end(self, how: Callable[[], object] = Thing) -> None:
        """Let it return what ``how`` returns, or raise what it raises."""
        self._end = how
        self._ended.set()


def fail() -> None:
    """Raise WorkFailed, as code does that met another error before."""
    try:
        raise KeyError
    except KeyError as error:
        raise WorkFailed from error


def leave_the_process() -> None:
    """Raise what is no Exception."""
    raise SystemExit


def patient() -> Callable[[], bool]:
    """Return what says that the client is there, for BOUND_S: so that no test waits for ever."""
    until = time.monotonic() + BOUND_S
    return lambda: time.monotonic() < until


def in_background(call: Callable[[], T]) -> "Future[T]":
    """Call it in a thread of its own."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
