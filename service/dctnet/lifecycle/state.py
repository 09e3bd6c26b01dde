"""State machine of a replica: states and transitions.

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
    """State of a replica."""

    STARTING = "starting"
    """Verifies, loads and warms up the model; image requests get 503."""
    READY = "ready"
    """Serves requests."""
    STUCK = "stuck"
    """A computation exceeds the watchdog timeout; the other slots serve requests."""
    DRAINING = "draining"
    """Graceful shutdown: completes the requests that it accepts until it stops."""
    STOPPED = "stopped"
    """All accepted requests are complete."""
    FAILED = "failed"
    """The model cannot be used; the process exits."""


_NEXT = {
    State.STARTING: {State.READY, State.FAILED, State.DRAINING},
    State.READY: {State.STUCK, State.DRAINING},
    State.STUCK: {State.READY, State.DRAINING},
    State.DRAINING: {State.STOPPED},
    State.STOPPED: set[State](),
    State.FAILED: set[State](),
}


class Lifecycle:
    """Current state of the replica. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._state = State.STARTING
        self._was_ready = False
        self._draining_since: float | None = None

    @property
    def state(self) -> State:
        """Current state."""
        return self._state

    @property
    def is_serving(self) -> bool:
        """Whether it serves requests; a hanging slot leaves the others."""
        return self._state in {State.READY, State.STUCK}

    def transition_to(self, state: State) -> bool:
        """Change the state; return False and keep it if there is no such transition."""
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
        """Whether the model has passed its warm-up; stays true."""
        return self._was_ready

    def draining_seconds(self) -> float:
        """Return the seconds since the drain started, or 0."""
        return 0.0 if self._draining_since is None else self._clock() - self._draining_since
