"""A loop's heartbeat: tells a loop that has stopped from one that runs."""

from collections.abc import Callable
from time import monotonic


class Heartbeat:
    """When a loop last came round. Thread-safe: one float is read and written."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._recorded_at: float | None = None

    def record(self) -> None:
        """Note that the loop came round."""
        self._recorded_at = self._clock()

    @property
    def age(self) -> float:
        """Seconds since the last beat; 0 before the first one."""
        recorded_at = self._recorded_at
        return 0.0 if recorded_at is None else self._clock() - recorded_at
