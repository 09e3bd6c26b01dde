"""An image's place: in the queue, then on a slot, then done."""

from collections.abc import Callable
from enum import Enum, auto
from threading import Condition
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from dctnet.admission.errors import ClientDisconnected, DeadlineExceeded
from dctnet.admission.fair_queue import Client

if TYPE_CHECKING:
    from dctnet.admission.admission import Admission

T = TypeVar("T")

POLL_INTERVAL_S = 0.25
"""How often a waiter looks whether its client is still there, in seconds."""


class JobState(Enum):
    """Where a job is; it never goes back."""

    QUEUED = auto()
    """It has a place in the queue, or a slot looks whether somebody still wants it."""
    RUNNING = auto()
    """A slot computes it, and goes on even where nobody waits any more."""
    DONE = auto()
    """Its answer or its error is there."""
    DROPPED = auto()
    """It was given up without costing a slot anything."""


class Job(Generic[T]):
    """One image that was let in. The thread that got it waits for it in ``result``."""

    def __init__(
        self,
        admission: "Admission",
        task: Callable[[], T],
        *,
        cost: float,
        deadline: float,
        is_connected: Callable[[], bool],
        client: Client,
    ) -> None:
        self.client = client
        self.cost = cost
        self.deadline = deadline
        self.is_connected = is_connected
        self.state = JobState.QUEUED
        self.queued_at = admission.clock()
        self.started_at: float | None = None
        self._run_started_at = 0.0
        self._admission = admission
        self._task: Callable[[], T] | None = task
        self._outcome: tuple[T | None, BaseException | None] | None = None
        self._changed = Condition()

    @property
    def position(self) -> int:
        """Its place in the queue, 1 for the next; 0 from when a slot takes it."""
        return self._admission.position(self)

    @property
    def wait_seconds(self) -> float:
        """How many seconds it was, or has been, in the queue."""
        until = self._admission.clock() if self.started_at is None else self.started_at
        return until - self.queued_at

    @property
    def run_seconds(self) -> float:
        """Seconds on a slot, without pauses of the process; 0 before that."""
        return (
            0.0
            if self.started_at is None
            else self._admission.running_clock() - self._run_started_at
        )

    def result(self) -> T:
        """Wait for the answer and hand it over, once: the job does not keep it.

        Raises DeadlineExceeded, ClientDisconnected where the client left while its image was queued
        or drawn, and whatever the work raised. A job that is still queued then leaves the queue.
        """
        try:
            while not self._wait_until_done():
                self.check_active()
        except BaseException:
            self._admission.cancel(self, ClientDisconnected())
            raise
        return self._unwrap()

    def check_active(self) -> None:
        """Raise DeadlineExceeded or ClientDisconnected where nobody wants the answer any more."""
        if self._admission.clock() >= self.deadline:
            raise DeadlineExceeded
        if not self.is_connected():
            raise ClientDisconnected

    def start(self) -> None:
        """Count from now on as running; called once, by the slot."""
        self._run_started_at = self._admission.running_clock()
        self.started_at = self._admission.clock()

    def compute(self) -> T:
        """Do the work; called once, by the slot."""
        assert self._task is not None
        self.state = JobState.RUNNING
        return self._task()

    def finish(self, result: T | None, error: BaseException | None) -> None:
        """Put the outcome where the waiter finds it; called once, by whoever ends the job."""
        with self._changed:
            self.state = JobState.DONE if self.state is JobState.RUNNING else JobState.DROPPED
            self._outcome = result, error
            self._task = None  # It holds the body, which nobody needs any more.
            self._changed.notify_all()

    def _wait_until_done(self) -> bool:
        """Wait until it has ended, but not longer than POLL_INTERVAL_S; return whether it has."""
        left = self.deadline - self._admission.clock()
        with self._changed:
            return self._changed.wait_for(
                lambda: self.state in {JobState.DONE, JobState.DROPPED},
                max(0.0, min(left, POLL_INTERVAL_S)),
            )

    def _unwrap(self) -> T:
        assert self._outcome is not None, "A job's result is handed over once."
        (result, error), self._outcome = self._outcome, None
        try:
            if error is not None:
                raise error
            return cast("T", result)
        finally:
            del error  # Its traceback keeps this frame, so each would keep the other.
