"""The way in: what is refused at once, what waits, and the slots that compute.

All state is behind one lock, so that a picture is in one place at any time: in the queue, on a
slot, or gone.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from math import ceil
from threading import Condition, Thread
from time import monotonic
from typing import Any, TypeVar

from dctnet.admission.errors import ClientGone, DeadlinePassed, Reason, Refused, Stopped
from dctnet.admission.estimate import Pace
from dctnet.admission.permits import Permit, Permits
from dctnet.admission.ticket import State, Ticket

T = TypeVar("T")

MIN_RETRY_AFTER_S = 1.0
"""The least that a refused client is asked to wait, in seconds."""


class Admission:
    """Lets pictures in, in three steps: ``check``, ``upload``, ``submit``. Thread-safe."""

    def __init__(
        self, *, slots: int, queue: int, uploads: int, clock: Callable[[], float] = monotonic
    ) -> None:
        """Take how many pictures are computed, may wait, and may be received at the same time."""
        self.slots = slots
        self.queue_capacity = queue
        self.uploads = Permits(uploads)
        self.clock = clock
        self.pace = Pace()
        self._queue: deque[Ticket[Any]] = deque()
        self._running: dict[int, Ticket[Any]] = {}
        self._ends_at: float | None = None
        self._stopped = False
        self._changed = Condition()

    def start(self, prepare: Callable[[], object]) -> "list[Future[object]]":
        """Start the slots' threads, each of which prepares its slot before it takes a picture.

        Returns a future for each slot, done when it is prepared; a slot whose preparation failed
        takes no pictures.
        """
        prepared: list[Future[object]] = [Future() for _ in range(self.slots)]
        for slot, future in enumerate(prepared):
            # A computation that hangs must not keep the process from ending.
            Thread(
                target=self._serve,
                args=(slot, prepare, future),
                name=f"slot-{slot}",
                daemon=True,
            ).start()
        return prepared

    def drain(self, ends_at: float) -> None:
        """Refuse from now on what is predicted to end after ``ends_at``, a time of the clock."""
        with self._changed:
            self._ends_at = ends_at

    def stop(self) -> None:
        """Drop what is queued and let the slots' threads end after what they compute."""
        with self._changed:
            self._stopped, self._ends_at = True, self.clock()
            dropped, self._queue = list(self._queue), deque()
            for ticket in dropped:
                ticket.finish(State.DROPPED, None, Stopped())
            self._changed.notify_all()

    def check(self, deadline: float) -> None:
        """Refuse, from the headers alone, what could not be taken or finished in time.

        Raises Refused.
        """
        with self._changed:
            self._require_room()
            self._require_time(self._wait(), deadline)

    def upload(self, timeout: float) -> Permit:
        """Return the permit to receive one body; raise Refused if none comes within ``timeout``."""
        permit = self.uploads.acquire(timeout)
        if permit is None:
            raise Refused(Reason.UPLOADS, MIN_RETRY_AFTER_S)
        return permit

    def submit(
        self,
        work: Callable[[], T],
        *,
        cost: float,
        deadline: float,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Ticket[T]:
        """Take a place in the queue for ``work``, or raise Refused.

        ``cost`` is the picture's working pixels, ``deadline`` a time of the clock, ``is_wanted``
        says whether the client is still there.
        """
        ticket = Ticket(self, work, cost=cost, deadline=deadline, is_wanted=is_wanted)
        with self._changed:
            self._require_room()
            self._require_time(self._wait() + self.pace.seconds(cost), deadline)
            self._queue.append(ticket)
            self._changed.notify()
        return ticket

    def withdraw(self, ticket: Ticket[Any], error: Exception) -> None:
        """Take a ticket out of the queue, if it is still there."""
        with self._changed:
            if ticket in self._queue:
                self._queue.remove(ticket)
                ticket.finish(State.DROPPED, None, error)

    @property
    def queued(self) -> int:
        """How many pictures wait."""
        return len(self._queue)

    @property
    def busy(self) -> int:
        """How many slots compute."""
        return len(self._running)

    @property
    def load_ratio(self) -> float:
        """Pictures that are computed or wait, for each slot: what autoscalers look at."""
        with self._changed:
            return (len(self._running) + len(self._queue)) / self.slots

    def longest_running(self) -> float:
        """Return for how many seconds the oldest computation has been running, or 0."""
        with self._changed:
            started = [t.started_at for t in self._running.values() if t.started_at is not None]
            return self.clock() - min(started) if started else 0.0

    def _require_room(self) -> None:
        # A free slot takes the next picture at once, so it counts as a place.
        free = self.slots - len(self._running)
        if len(self._queue) >= self.queue_capacity + max(0, free):
            raise Refused(Reason.FULL, self._retry_after())

    def _require_time(self, seconds: float, deadline: float) -> None:
        end = self.clock() + seconds
        if self._ends_at is not None and end >= self._ends_at:
            raise Refused(Reason.DRAINING, MIN_RETRY_AFTER_S)
        if end > deadline:
            raise Refused(Reason.LATE, self._retry_after())

    def _wait(self) -> float:
        """Predict in how many seconds a slot is free for one more picture."""
        if len(self._running) + len(self._queue) < self.slots:
            return 0.0
        now = self.clock()
        left = sum(
            max(0.0, self.pace.seconds(ticket.cost) - (now - (ticket.started_at or now)))
            for ticket in self._running.values()
        )
        queued = sum(self.pace.seconds(ticket.cost) for ticket in self._queue)
        return (left + queued) / self.slots

    def _retry_after(self) -> float:
        """Predict in how many seconds half of the queue is done: then there is room again."""
        return max(MIN_RETRY_AFTER_S, float(ceil(self._wait() / 2)))

    def _serve(self, slot: int, prepare: Callable[[], object], prepared: "Future[object]") -> None:
        try:
            prepared.set_result(prepare())
        except BaseException as error:
            prepared.set_exception(error)
            return
        while (ticket := self._next(slot)) is not None:
            self._compute(slot, ticket)

    def _next(self, slot: int) -> Ticket[Any] | None:
        """Wait for the next picture that somebody still wants, and put it on the slot."""
        while True:
            with self._changed:
                while not self._queue:
                    if self._stopped:
                        return None
                    self._changed.wait()
                ticket = self._queue.popleft()
                if self.clock() > ticket.deadline:
                    ticket.finish(State.DROPPED, None, DeadlinePassed())
                elif not ticket.is_wanted():
                    ticket.finish(State.DROPPED, None, ClientGone())
                else:
                    ticket.state = State.RUNNING
                    ticket.started_at = self.clock()
                    self._running[slot] = ticket
                    return ticket

    def _compute(self, slot: int, ticket: Ticket[Any]) -> None:
        assert ticket.work is not None
        answer, error = None, None
        started = self.clock()
        try:
            answer = ticket.work()
        except BaseException as caught:  # It belongs to the waiter; the slot goes on.
            error = caught
        else:
            self.pace.observe(ticket.cost, self.clock() - started)
        with self._changed:
            del self._running[slot]
        ticket.finish(State.DONE, answer, error)
