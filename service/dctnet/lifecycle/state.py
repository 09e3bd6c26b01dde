"""The states of a replica and the ways between them.

STARTING -+-> READY -----+-> DRAINING --> STOPPED
          |     ^  |     |
          |     |  v     |
          |    STUCK ----+
          +-> FAILED
"""

from collections.abc import Callable
from enum import StrEnum
from threading import Lock
from time import monotonic


class State(StrEnum):
    """What a replica is going through."""

    STARTING = "starting"
    """The model is verified, loaded and warmed up; requests are answered with 503."""
    READY = "ready"
    """It draws."""
    STUCK = "stuck"
    """A computation runs longer than the watchdog allows; the other slots draw on."""
    DRAINING = "draining"
    """It was told to end, and finishes what it accepts until then."""
    STOPPED = "stopped"
    """All that it accepted is answered."""
    FAILED = "failed"
    """The model cannot be used; the process ends."""


_NEXT = {
    State.STARTING: {State.READY, State.FAILED, State.DRAINING},
    State.READY: {State.STUCK, State.DRAINING},
    State.STUCK: {State.READY, State.DRAINING},
    State.DRAINING: {State.STOPPED},
    State.STOPPED: set[State](),
    State.FAILED: set[State](),
}


class Lifecycle:
    """The state of this replica. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._state = State.STARTING
        self._was_ready = False
        self._draining_since: float | None = None

    @property
    def state(self) -> State:
        """What the replica is going through."""
        return self._state

    @property
    def is_serving(self) -> bool:
        """Whether it draws and is to get requests; a slot that hangs leaves the others."""
        return self._state in {State.READY, State.STUCK}

    def transition_to(self, state: State) -> bool:
        """Go to a state; return False, and stay, where no way leads from here to there."""
        with self._lock:
            if state not in _NEXT[self._state]:
                return False
            self._state = state
            self._was_ready |= state is State.READY
            if state is State.DRAINING:
                self._draining_since = self._clock()
            return True

    @property
    def was_ready(self) -> bool:
        """Whether the model was found good: true until the end, once it is."""
        return self._was_ready

    def draining_seconds(self) -> float:
        """Return how long ago the replica was told to end, or 0."""
        return 0.0 if self._draining_since is None else self._clock() - self._draining_since
