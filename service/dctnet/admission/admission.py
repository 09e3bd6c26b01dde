"""The way in: what is rejected at once, what waits for its turn, and the slots that compute.

All state is behind one lock, so that an image is in one place at any time: in the queue, on a
slot, or gone. Nothing of the caller's runs under it.
"""

from collections.abc import Callable
from concurrent.futures import Future
from heapq import heapify, heapreplace
from math import ceil, inf
from threading import Condition, Thread
from time import monotonic
from typing import Any, TypeVar

from dctnet.admission.errors import AdmissionStopped, Rejected, RejectionReason
from dctnet.admission.fair_queue import Client, FairQueue
from dctnet.admission.job import Job
from dctnet.admission.permits import Permit, Permits
from dctnet.admission.quota import DynamicThreshold
from dctnet.admission.service_time import ServiceTimeEstimator
from dctnet.admission.tracebacks import clear_traceback_frames

T = TypeVar("T")

MIN_RETRY_AFTER_S = 1.0
"""The least that a rejected client is asked to wait, in seconds."""


class Admission:
    """Lets images in, in three steps: ``check``, ``upload``, ``submit``. Thread-safe."""

    def __init__(
        self,
        *,
        slots: int,
        queue_size: int,
        max_uploads: int,
        max_service_time: float = inf,
        clock: Callable[[], float] = monotonic,
        running_clock: Callable[[], float] | None = None,
    ) -> None:
        """Take how many images are computed, may wait, and may be received at the same time.

        ``max_service_time`` bounds predictions, in seconds. ``clock`` is that of deadlines and
        waits; ``running_clock``, the same by default, that of computations.
        """
        self.slots = slots
        self.queue_capacity = queue_size
        self.uploads = Permits(max_uploads)
        self.clock = clock
        self.running_clock = running_clock or clock
        self.service_time = ServiceTimeEstimator(max_service_time, clock)
        self._queue: FairQueue[Job[Any]] = FairQueue()
        self._running: set[Job[Any]] = set()
        self._quota = (
            DynamicThreshold()
        )  # Of slots and places together, which is all that is taken.
        self._shutdown_at = inf
        self._started = False
        self._stopped = False
        self._changed = Condition()

    def start(self, prepare: Callable[[], object]) -> "list[Future[object]]":
        """Start the slots' threads, each of which prepares its slot before it takes an image.

        Returns a future for each slot, done when it is prepared. A slot whose preparation failed
        takes no images and counts no more; where none is left, all is stopped. Raises
        RuntimeError if it was started before.
        """
        with self._changed:
            if self._started:
                raise RuntimeError("The slots were started already.")
            self._started = True
        prepared: list[Future[object]] = [Future() for _ in range(self.slots)]
        for slot, future in enumerate(prepared):
            # A computation that hangs must not keep the process from ending.
            Thread(
                target=self._run_slot, args=(prepare, future), name=f"slot-{slot}", daemon=True
            ).start()
        return prepared

    def drain(self, shutdown_at: float) -> None:
        """Reject from now on what is predicted to end at ``ends_at`` of the clock, or later.

        Called again, the earliest end counts.
        """
        with self._changed:
            self._shutdown_at = min(self._shutdown_at, shutdown_at)

    def stop(self) -> None:
        """Drop what is queued and let the slots' threads end after what they compute."""
        with self._changed:
            self._stopped, self._shutdown_at = True, -inf
            while job := self._queue.pop():
                self._quota.release(job.client)
                job.finish(None, AdmissionStopped())
            self._changed.notify_all()

    def check(self, deadline: float, client: Client = None) -> None:
        """Reject, from the headers alone, what could not be taken or finished in time.

        Raises Rejected.
        """
        with self._changed:
            self._check_capacity(client, 0.0, deadline)

    def upload(self, timeout: float, client: Client = None) -> Permit:
        """Return the permit to receive one body; raise Rejected if none comes within ``timeout``.

        ``timeout`` is in seconds.
        """
        permit = self.uploads.acquire(timeout, client)
        if permit is None:
            raise Rejected(RejectionReason.UPLOAD_LIMIT, MIN_RETRY_AFTER_S)
        return permit

    def submit(
        self,
        task: Callable[[], T],
        *,
        cost: float,
        deadline: float,
        is_connected: Callable[[], bool] = lambda: True,
        client: Client = None,
    ) -> Job[T]:
        """Take a place in the queue for ``work``, or raise Rejected.

        ``cost`` is more than 0, in the units of ``dctnet.cost``, or ValueError is raised. At
        ``deadline``, a time of the clock, the answer is too late. ``is_wanted`` says whether the
        client is still there; slots and the waiter ask it, each in its thread. ``client`` is who
        takes turns with others, None where nobody is told apart.
        """
        if not cost > 0:
            raise ValueError(f"An image's cost is more than 0, not {cost}.")
        job = Job(
            self, task, cost=cost, deadline=deadline, is_connected=is_connected, client=client
        )
        with self._changed:
            self._check_capacity(client, cost, deadline)
            self._quota.acquire(client)
            self._queue.push(client, job)
            self._changed.notify()
        return job

    def cancel(self, job: Job[Any], error: Exception) -> None:
        """Take a job out of the queue, if it is still there; ``error`` becomes its outcome."""
        with self._changed:
            if self._queue.remove(job.client, job):
                self._quota.release(job.client)
                job.finish(None, error)

    def position(self, job: Job[Any]) -> int:
        """Return a job's place in the queue, 1 for the next; 0 where it waits no more.

        It may move back, where the turn of a client that came later is earlier.
        """
        with self._changed:
            return self._queue.position(job.client, job)

    @property
    def queued(self) -> int:
        """How many images wait."""
        return len(self._queue)

    @property
    def clients(self) -> int:
        """How many clients wait, as far as they are told apart."""
        return self._queue.clients

    @property
    def busy(self) -> int:
        """How many slots compute."""
        return len(self._running)

    @property
    def load_ratio(self) -> float:
        """Images that are computed or wait, for each slot: what autoscalers look at."""
        with self._changed:
            return self._quota.in_use / self.slots

    def longest_running(self) -> float:
        """Return for how many seconds the oldest computation has been running, or 0."""
        with self._changed:
            return max((job.run_seconds for job in self._running), default=0.0)

    def _check_capacity(self, client: Client, cost: float, deadline: float) -> None:
        """Raise Rejected unless a client's image of this cost can be taken and be done in time."""
        wait = self._predict_wait(client)
        # What starts at once is measured by the warm-up at most: a replica that rejected images
        # while it has nothing to do would never measure that it is fast again.
        seconds = self.service_time.seconds(cost) if wait else self.service_time.idle_seconds(cost)
        end = self.clock() + wait + seconds
        if end >= self._shutdown_at:
            raise Rejected(RejectionReason.DRAINING, MIN_RETRY_AFTER_S)
        # A free slot takes the next image at once, so it counts as a place.
        capacity = self.slots + self.queue_capacity
        if self._quota.in_use >= capacity:
            raise Rejected(RejectionReason.QUEUE_FULL, _retry_after(wait))
        if self._quota.in_use >= self.slots and not self._quota.allow(client, capacity):
            raise Rejected(RejectionReason.QUOTA, _retry_after(wait))
        if end >= deadline:
            raise Rejected(RejectionReason.DEADLINE, _retry_after(wait))

    def _predict_wait(self, client: Client) -> float:
        """Predict in how many seconds a slot is free for one more image of a client."""
        turns = self._queue.turns_before(client)
        # What took longer than predicted is expected to need as long again as it is late.
        free_in: list[tuple[float, int, Client]] = [
            (abs(self.service_time.seconds(job.cost) - job.run_seconds), slot, job.client)
            for slot, job in enumerate(self._running)
        ]
        no_client = object()
        free_in += [(0.0, slot, no_client) for slot in range(len(free_in), self.slots)]
        heapify(free_in)
        while True:
            seconds, slot, served = free_in[0]
            turns.end_turn(served)
            job = turns.pop()
            if job is None:  # The newcomer's turn.
                return seconds
            seconds += self.service_time.seconds(job.cost)
            heapreplace(free_in, (seconds, slot, job.client))

    def _run_slot(self, prepare: Callable[[], object], prepared: "Future[object]") -> None:
        """Be a slot, from its preparation until all is stopped."""
        try:
            slot = prepare()
        except BaseException as error:
            self._remove_slot()
            prepared.set_exception(error)
            return
        prepared.set_result(slot)
        while self._run_next_job():
            pass

    def _remove_slot(self) -> None:
        with self._changed:
            if self.slots > 1:
                self.slots -= 1
            else:
                self.stop()

    def _run_next_job(self) -> bool:
        """Wait for the next image and compute it, if it is wanted; return False at the end."""
        job = self._next_job()
        if job is None:
            return False
        result, error = None, None
        try:
            job.check_active()
            result = job.compute()
            self.service_time.observe(job.cost, job.run_seconds)
        except BaseException as caught:  # It belongs to the waiter; the slot goes on.
            error = caught
            clear_traceback_frames(error)
        with self._changed:
            self._running.remove(job)
            self._quota.release(job.client)
            self._queue.end_turn(job.client)
        job.finish(result, error)
        del job, result, error  # An error's traceback keeps this frame, and so what it holds.
        return True

    def _next_job(self) -> Job[Any] | None:
        """Wait for the next image and put it on a slot; return None where none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopped)
            job = self._queue.pop()
            if job is None:
                return None
            job.start()
            self._running.add(job)
            return job


def _retry_after(wait: float) -> float:
    """Predict in how many seconds half of what a client waits for is done: then there is room."""
    return max(MIN_RETRY_AFTER_S, float(ceil(wait / 2)))
