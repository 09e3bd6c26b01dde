"""Clock that stops while the process is paused: SIGSTOP, frozen cgroup or VM."""

from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic

TICK_S = 0.25
"""Interval at which the clock reads itself, in seconds."""

MAX_GAP_S = 1.0
"""Most that the clock advances between two reads, in seconds: a thread that ticks late because the
CPUs are busy loses no time, and a pause counts as no more than this."""


class PausableClock:
    """Monotonic clock of the time that the process runs, in seconds. Thread-safe.

    Use it for how long a computation runs, and real time for what a client waits.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._read_at = clock()
        self._now = 0.0
        self._stopped = Event()

    def __call__(self) -> float:
        """Return the seconds that the process has run since the clock was made."""
        with self._lock:
            read_at = self._clock()
            self._now += min(read_at - self._read_at, MAX_GAP_S)
            self._read_at = read_at
            return self._now

    def start(self) -> None:
        """Tick in a thread until ``stop``: without ticks, a long computation is a gap."""
        Thread(target=self._tick, name="pausable-clock", daemon=True).start()

    def stop(self) -> None:
        """Stop the thread."""
        self._stopped.set()

    def _tick(self) -> None:
        while not self._stopped.wait(TICK_S):
            self()
