"""Tells a replica that makes no progress from one that is busy."""

from collections.abc import Callable
from threading import Event, Thread

from dctnet.lifecycle.state import Lifecycle, State

CHECKS_PER_TIMEOUT = 20
"""How often the watchdog looks within its own timeout, so that it is late by a twentieth of it."""


class Watchdog:
    """Marks the replica as stuck while a computation runs longer than the timeout."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        longest_running: Callable[[], float],
        timeout: float,
        on_trip: Callable[[], None],
    ) -> None:
        """Take what tells how long the oldest computation has been running, and what is allowed.

        Both are in seconds; ``on_trip`` is called each time that a computation exceeds it.
        """
        self._lifecycle = lifecycle
        self._longest_running = longest_running
        self._timeout = timeout
        self._on_trip = on_trip
        self._stopped = Event()

    def start(self) -> None:
        """Watch from a thread of its own until ``stop``."""
        Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped.set()

    def check(self) -> None:
        """Compare once."""
        if self.is_overdue():
            if self._lifecycle.transition_to(State.STUCK):
                self._on_trip()
        elif self._lifecycle.state is State.STUCK:
            self._lifecycle.transition_to(State.READY)

    def is_overdue(self) -> bool:
        """Say whether a computation has been running longer than the timeout."""
        return self._longest_running() > self._timeout

    def _watch(self) -> None:
        while not self._stopped.wait(self._timeout / CHECKS_PER_TIMEOUT):
            self.check()
