"""Heartbeat of an event loop: shows whether it still runs."""

from collections.abc import Callable
from time import monotonic


class Heartbeat:
    """Time of a loop's last round. Thread-safe: reads and writes one float."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._recorded_at: float | None = None

    def record(self) -> None:
        """Record a round of the loop."""
        self._recorded_at = self._clock()

    @property
    def age(self) -> float:
        """Seconds since the last round; 0 before the first one."""
        recorded_at = self._recorded_at
        return 0.0 if recorded_at is None else self._clock() - recorded_at
