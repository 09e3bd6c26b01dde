"""Admission control and load shedding: rejection, fair queue and slots.

One lock guards all state, so that a job is queued, on a slot, or done at any time. No code of the
caller runs under it.
"""

from collections.abc import Callable
from concurrent.futures import Future
from heapq import heapify, heapreplace
from math import ceil, inf
from threading import Condition, Thread
from time import monotonic
from typing import Any, TypeVar

from dctnet.admission.byte_budget import ByteBudget, Reservation
from dctnet.admission.errors import AdmissionStopped, Rejected, RejectionReason
from dctnet.admission.fair_queue import Client, FairQueue
from dctnet.admission.job import Job
from dctnet.admission.permits import Permit, Permits
from dctnet.admission.quota import DynamicThreshold
from dctnet.admission.service_time import ServiceTimeEstimator
from dctnet.admission.tracebacks import clear_traceback_frames

T = TypeVar("T")

MIN_RETRY_AFTER_S = 1.0
"""Least `Retry-After` of a rejection, in seconds."""


class Admission:
    """Admits images in steps: ``check``, ``reserve``, ``upload``, ``submit``. Thread-safe."""

    def __init__(
        self,
        *,
        slots: int,
        queue_size: int,
        max_uploads: int,
        max_waiting_bytes: int,
        max_service_time: float = inf,
        clock: Callable[[], float] = monotonic,
        running_clock: Callable[[], float] | None = None,
    ) -> None:
        """``slots`` jobs run, ``queue_size`` wait, ``max_uploads`` bodies are received.

        Bodies that are received or wait have at most ``max_waiting_bytes``.
        A computation that takes longer than ``max_service_time``, in seconds, hangs; it also bounds
        predictions. ``clock`` measures deadlines and waits; ``running_clock``, the same by default,
        measures computations.
        """
        self.slots = slots
        self.queue_capacity = queue_size
        self.uploads = Permits(max_uploads)
        self.waiting_bytes = ByteBudget(max_waiting_bytes)
        self.clock = clock
        self.running_clock = running_clock or clock
        self.service_time = ServiceTimeEstimator(max_service_time, clock)
        self._max_service_time = max_service_time
        self._queue: FairQueue[Job[Any]] = FairQueue()
        self._running: set[Job[Any]] = set()
        self._quota = DynamicThreshold()  # Of slots and queue together.
        self._shutdown_at = inf
        self._started = False
        self._stopped = False
        self._changed = Condition()

    def start(self, prepare: Callable[[], object]) -> "list[Future[object]]":
        """Start the slots' threads, each of which prepares its slot before its first job.

        Returns a future per slot, done when it is prepared. A slot whose preparation fails takes
        no jobs and no longer counts; without any slot, admission stops. Raises RuntimeError on a
        second call.
        """
        with self._changed:
            if self._started:
                raise RuntimeError("The slots were started already.")
            self._started = True
        prepared: list[Future[object]] = [Future() for _ in range(self.slots)]
        for slot, future in enumerate(prepared):
            # A computation that hangs must not keep the process from exiting.
            Thread(
                target=self._run_slot, args=(prepare, future), name=f"slot-{slot}", daemon=True
            ).start()
        return prepared

    def drain(self, shutdown_at: float) -> None:
        """Reject, from now on, jobs that are predicted to end at ``shutdown_at`` or later.

        ``shutdown_at`` is a time of the clock. Of several calls the earliest counts.
        """
        with self._changed:
            self._shutdown_at = min(self._shutdown_at, shutdown_at)

    def stop(self) -> None:
        """Drop the queued jobs, and let the slots' threads exit after their current jobs."""
        with self._changed:
            self._stopped, self._shutdown_at = True, -inf
            while job := self._queue.pop():
                self._quota.release(job.client)
                job.finish(None, AdmissionStopped())
            self._changed.notify_all()

    def check(self, deadline: float, client: Client = None) -> None:
        """Raise Rejected, from the headers alone, unless a job could finish in time."""
        with self._changed:
            self._check_capacity(client, 0.0, deadline)

    def reserve(self, size: int, client: Client = None) -> Reservation:
        """Return a reservation for a body of at most ``size`` bytes; raise Rejected without room.

        The caller releases it with the body, or passes both to ``submit``.
        """
        with self._changed:
            wait = self._predict_wait(client)
        return self.waiting_bytes.reserve(size, client, _retry_after(wait))

    def upload(self, timeout: float, client: Client = None) -> Permit:
        """Return a permit to receive one body.

        Raises Rejected if none is free within ``timeout`` seconds.
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
        body: Reservation | None = None,
    ) -> Job[T]:
        """Queue ``task`` as a job, or raise Rejected.

        ``cost`` is in the units of ``dctnet.cost``; raises ValueError unless it is above 0. At
        ``deadline``, a time of the clock, the result is too late. ``is_connected`` says whether the
        client is connected; the slot and the waiter call it, each in its thread. ``client`` is the
        identity for fair queueing, None without client identification. The job becomes the owner of
        the reservation ``body``, and releases it when a slot takes it or it is dropped.
        """
        if not cost > 0:
            raise ValueError(f"An image's cost is more than 0, not {cost}.")
        job = Job(
            self, task, cost=cost, deadline=deadline, is_connected=is_connected, client=client
        )
        with self._changed:
            self._check_capacity(client, cost, deadline)
            self._quota.acquire(client)
            job.body = body and body.move()
            self._queue.push(client, job)
            self._changed.notify()
        return job

    def cancel(self, job: Job[Any], error: Exception) -> None:
        """Remove a job from the queue if it is queued; ``error`` becomes its outcome."""
        with self._changed:
            if self._queue.remove(job.client, job):
                self._quota.release(job.client)
                job.finish(None, error)

    def start_next(self) -> Job[Any] | None:
        """Wait for the next job and count it as running; return None after a stop.

        Called by the slots, and by a simulation of them.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopped)
            job = self._queue.pop()
            if job is None:
                return None
            job.start()
            self._running.add(job)
            return job

    def end(self, job: Job[Any]) -> None:
        """Free the slot of a running job."""
        with self._changed:
            self._running.remove(job)
            self._quota.release(job.client)
            self._queue.end_turn(job.client)

    def position(self, job: Job[Any]) -> int:
        """Return a job's queue position, 1 for the next; 0 once it is not queued.

        The position may grow: a client that arrives later may have an earlier turn.
        """
        with self._changed:
            return self._queue.position(job.client, job)

    @property
    def queued(self) -> int:
        """Number of queued jobs."""
        return len(self._queue)

    @property
    def clients(self) -> int:
        """Number of clients with queued jobs; all unidentified clients count as one."""
        return self._queue.clients

    @property
    def busy(self) -> int:
        """Number of busy slots."""
        return len(self._running)

    @property
    def load_ratio(self) -> float:
        """Running and queued jobs per slot: a metric for autoscalers."""
        with self._changed:
            return self._quota.in_use / self.slots

    def longest_running(self) -> float:
        """Return the age of the oldest running job, in seconds; 0 without one."""
        with self._changed:
            return max((job.run_seconds for job in self._running), default=0.0)

    def hangs(self) -> bool:
        """Return whether the computation of every slot hangs, so that no queued job is started."""
        with self._changed:
            return len(self._running) == self.slots and all(
                job.run_seconds > self._max_service_time for job in self._running
            )

    def _check_capacity(self, client: Client, cost: float, deadline: float) -> None:
        """Raise Rejected unless there is capacity for a job and it can be done in time."""
        if self.hangs():  # A restart will free the slots.
            raise Rejected(RejectionReason.DRAINING, MIN_RETRY_AFTER_S)
        wait = self._predict_wait(client)
        # A job that starts at once is predicted by the warm-up at most: an idle replica that
        # rejected jobs would never measure that it is fast again.
        seconds = self.service_time.seconds(cost) if wait else self.service_time.idle_seconds(cost)
        end = self.clock() + wait + seconds
        if end >= self._shutdown_at:
            raise Rejected(RejectionReason.DRAINING, MIN_RETRY_AFTER_S)
        # A free slot takes the next job at once, so it counts as capacity.
        capacity = self.slots + self.queue_capacity
        if self._quota.in_use >= capacity:
            raise Rejected(RejectionReason.QUEUE_FULL, _retry_after(wait))
        if self._quota.in_use >= self.slots and not self._quota.allow(client, capacity):
            raise Rejected(RejectionReason.QUOTA, _retry_after(wait))
        if end >= deadline:
            raise Rejected(RejectionReason.DEADLINE, _retry_after(wait))

    def _predict_wait(self, client: Client) -> float:
        """Predict in how many seconds a slot is free for one more job of a client."""
        turns = self._queue.turns_before(client)
        # An overdue job is expected to need its overrun once more.
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
        """Prepare a slot and run its jobs until admission stops; the target of its thread."""
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
        """Wait for the next job and run it if it is active; return False after a stop."""
        job = self.start_next()
        if job is None:
            return False
        result, error = None, None
        try:
            job.check_active()
            result = job.compute()
            self.service_time.observe(job.cost, job.run_seconds)
        except BaseException as caught:  # It belongs to the waiter; the slot continues.
            error = caught
            clear_traceback_frames(error)
        self.end(job)
        job.finish(result, error)
        del job, result, error  # An error's traceback keeps this frame and its variables.
        return True


def _retry_after(wait: float) -> float:
    """Return half of the predicted wait, in whole seconds: by then there is capacity."""
    return max(MIN_RETRY_AFTER_S, float(ceil(wait / 2)))
