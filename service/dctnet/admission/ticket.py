"""A picture's place: in the queue, then on a slot, then done."""

from collections.abc import Callable
from enum import Enum, auto
from threading import Condition
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from dctnet.admission.errors import ClientGone, DeadlinePassed

if TYPE_CHECKING:
    from dctnet.admission.admission import Admission

T = TypeVar("T")

LOOK_S = 0.25
"""How often a waiter looks whether its client is still there, in seconds."""


class State(Enum):
    """Where a ticket is; it never goes back."""

    QUEUED = auto()
    """It has a place in the queue."""
    RUNNING = auto()
    """A slot computes it, and goes on even where nobody waits any more."""
    DONE = auto()
    """Its answer or its error is there."""
    DROPPED = auto()
    """It left the queue without costing a slot anything."""


class Ticket(Generic[T]):
    """One picture that was let in. The thread that got it waits for it in ``result``."""

    def __init__(
        self,
        admission: "Admission",
        work: Callable[[], T],
        *,
        cost: float,
        deadline: float,
        is_wanted: Callable[[], bool],
    ) -> None:
        self.cost = cost
        self.deadline = deadline
        self.is_wanted = is_wanted
        self.work: Callable[[], T] | None = work
        self.state = State.QUEUED
        self.queued_at = admission.clock()
        self.started_at: float | None = None
        self._admission = admission
        self._answer: T | None = None
        self._error: BaseException | None = None
        self._changed = Condition()

    @property
    def waited(self) -> float:
        """How many seconds it was, or has been, in the queue."""
        until = self._admission.clock() if self.started_at is None else self.started_at
        return until - self.queued_at

    def result(self) -> T:
        """Wait for the answer and return it.

        Raises DeadlinePassed, ClientGone where the client left while its picture was queued or
        drawn, and whatever the work raised. A ticket that is still queued then leaves the queue.
        """
        while not self._wait():
            if self._admission.clock() >= self.deadline:
                raise self._leave(DeadlinePassed())
            if not self.is_wanted():
                raise self._leave(ClientGone())
        if self._error is not None:
            raise self._error
        return cast("T", self._answer)

    def finish(self, state: State, answer: T | None, error: BaseException | None) -> None:
        """Put the outcome where the waiter finds it; called once, by whoever ends the ticket."""
        with self._changed:
            self.state = state
            self._answer, self._error = answer, error
            self.work = None  # It holds the body, which nobody needs any more.
            self._changed.notify_all()

    def _wait(self) -> bool:
        """Wait until it has ended, but not longer than LOOK_S; return whether it has."""
        left = self.deadline - self._admission.clock()
        with self._changed:
            return self._changed.wait_for(
                lambda: self.state in {State.DONE, State.DROPPED}, max(0.0, min(left, LOOK_S))
            )

    def _leave(self, error: Exception) -> Exception:
        self._admission.withdraw(self, error)
        return error
