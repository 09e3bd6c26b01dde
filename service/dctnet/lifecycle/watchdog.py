"""Watchdog: detects computations that hang."""

from collections.abc import Callable
from threading import Event, Thread

from dctnet.lifecycle.state import Lifecycle, State

CHECKS_PER_TIMEOUT = 20
"""Checks per timeout: the watchdog trips at most a twentieth of the timeout late."""


class Watchdog:
    """Marks the replica as STUCK while a computation runs longer than the timeout."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        longest_running: Callable[[], float],
        timeout: float,
        on_trip: Callable[[], None],
    ) -> None:
        """``longest_running`` returns the age of the oldest computation, in seconds.

        ``on_trip`` is called each time that a computation exceeds ``timeout`` seconds.
        """
        self._lifecycle = lifecycle
        self._longest_running = longest_running
        self._timeout = timeout
        self._on_trip = on_trip
        self._stopped = Event()

    def start(self) -> None:
        """Start the thread, which checks until ``stop``."""
        Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop the thread."""
        self._stopped.set()

    def check(self) -> None:
        """Update the state once."""
        if self.is_overdue():
            if self._lifecycle.transition_to(State.STUCK):
                self._on_trip()
        elif self._lifecycle.state is State.STUCK:
            self._lifecycle.transition_to(State.READY)

    def is_overdue(self) -> bool:
        """Return whether a computation has been running longer than the timeout."""
        return self._longest_running() > self._timeout

    def _watch(self) -> None:
        while not self._stopped.wait(self._timeout / CHECKS_PER_TIMEOUT):
            self.check()
