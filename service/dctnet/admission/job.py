"""Job: an admitted image that is queued, then running on a slot, then done."""

from collections.abc import Callable
from enum import Enum, auto
from threading import Condition
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from dctnet.admission.errors import AdmissionStopped, ClientDisconnected, DeadlineExceeded
from dctnet.admission.fair_queue import Client

if TYPE_CHECKING:
    from dctnet.admission.admission import Admission
    from dctnet.admission.byte_budget import Reservation

T = TypeVar("T")

POLL_INTERVAL_S = 0.25
"""Interval at which a waiter checks whether its client is connected, in seconds."""


class JobState(Enum):
    """State of a job; it only moves forward."""

    QUEUED = auto()
    """In the queue, or a slot checks whether it is still active."""
    RUNNING = auto()
    """Running on a slot, even if its waiter has left."""
    DONE = auto()
    """Its result or error is available."""
    DROPPED = auto()
    """Ended without running."""


class Job(Generic[T]):
    """One admitted image. The thread that submitted it waits in ``result``."""

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
        self.body: Reservation | None = None
        self.queued_at = admission.clock()
        self.started_at: float | None = None
        self._run_started_at = 0.0
        self._admission = admission
        self._task: Callable[[], T] | None = task
        self._outcome: tuple[T | None, BaseException | None] | None = None
        self._changed = Condition()

    @property
    def position(self) -> int:
        """Queue position, 1 for the next; 0 once a slot has taken it."""
        return self._admission.position(self)

    @property
    def wait_seconds(self) -> float:
        """Seconds in the queue, so far or in all."""
        until = self._admission.clock() if self.started_at is None else self.started_at
        return until - self.queued_at

    @property
    def run_seconds(self) -> float:
        """Seconds on a slot, without pauses of the process; 0 before."""
        return (
            0.0
            if self.started_at is None
            else self._admission.running_clock() - self._run_started_at
        )

    def result(self) -> T:
        """Wait for the result and return it, once: the job does not keep it.

        Raises DeadlineExceeded, ClientDisconnected, AdmissionStopped if it is queued while every
        slot hangs, and errors of the task. A job that is still queued then leaves the queue.
        """
        try:
            while not self._wait_until_done():
                self.check_active()
                if self.started_at is None and self._admission.hangs():
                    raise AdmissionStopped
        except BaseException:
            self._admission.cancel(self, ClientDisconnected())
            raise
        return self._unwrap()

    def check_active(self) -> None:
        """Raise DeadlineExceeded or ClientDisconnected if the result is no longer needed."""
        if self._admission.clock() >= self.deadline:
            raise DeadlineExceeded
        if not self.is_connected():
            raise ClientDisconnected

    def start(self) -> None:
        """Start the running time; called once, by the slot, whose memory now has the body."""
        self._release_body()
        self._run_started_at = self._admission.running_clock()
        self.started_at = self._admission.clock()

    def compute(self) -> T:
        """Run the task; called once, by the slot."""
        assert self._task is not None
        self.state = JobState.RUNNING
        return self._task()

    def finish(self, result: T | None, error: BaseException | None) -> None:
        """Set the outcome and wake the waiter; called once."""
        with self._changed:
            self.state = JobState.DONE if self.state is JobState.RUNNING else JobState.DROPPED
            self._outcome = result, error
            self._task = None  # It holds the body, which is no longer needed.
            self._release_body()
            self._changed.notify_all()

    def _release_body(self) -> None:
        if self.body is not None:
            self.body.release()

    def _wait_until_done(self) -> bool:
        """Wait until it is done, at most POLL_INTERVAL_S; return whether it is."""
        left = self.deadline - self._admission.clock()
        with self._changed:
            return self._changed.wait_for(
                lambda: self.state in {JobState.DONE, JobState.DROPPED},
                max(0.0, min(left, POLL_INTERVAL_S)),
            )

    def _unwrap(self) -> T:
        assert self._outcome is not None, "A job's result is returned once."
        (result, error), self._outcome = self._outcome, None
        try:
            if error is not None:
                raise error
            return cast("T", result)
        finally:
            del error  # Its traceback keeps this frame, so each would keep the other.
