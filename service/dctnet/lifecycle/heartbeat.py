"""A loop's heartbeat: tells a loop that has stopped from one that runs."""

from collections.abc import Callable
from time import monotonic


class Heartbeat:
    """When a loop last came round. Thread-safe: one float is read and written."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._beat_at: float | None = None

    def beat(self) -> None:
        """Note that the loop came round."""
        self._beat_at = self._clock()

    @property
    def age(self) -> float:
        """Seconds since the last beat; 0 before the first one."""
        beat_at = self._beat_at
        return 0.0 if beat_at is None else self._clock() - beat_at
