"""Queue simulation of one replica: Poisson arrivals, slots, and the server's admission control.

A discrete-event loop with a virtual clock around `dctnet.admission.Admission` itself, so that
rejections are those of the server. Simplified: one client without identity, uploads that take no
time, no limit of waiting bytes, and no disconnects.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from itertools import accumulate
from math import ceil, inf
from typing import Any

from dctnet.admission import Admission, DeadlineExceeded, Job, Rejected, RejectionReason

ARRIVALS = 4000
"""Arrivals of a simulation."""

WARM_UP_SHARE = 0.25
"""Share of the arrivals, the first, that is not counted: the queue starts empty."""


@dataclass(frozen=True, kw_only=True)
class ImageSize:
    """Service times of an image's size, in seconds of a slot."""

    name: str
    cost: float
    """In units of `dctnet.cost`."""
    alone: float
    """Median while one slot computes, on all threads."""
    loaded: float
    """Median while all slots compute."""
    ratios: Sequence[float] = (1.0,)
    """Each measurement relative to its median: their distribution."""


@dataclass(frozen=True, kw_only=True)
class ReplicaModel:
    """A replica as the simulation sees it; all image sizes are equally frequent."""

    slots: int
    sizes: Sequence[ImageSize]
    calibrations: Sequence[tuple[float, float]]
    """Cost and seconds of each slot's warm-up, from which admission control predicts."""
    max_service_time: float = inf
    """Bound of the predictions, in seconds: the watchdog timeout."""

    @property
    def seconds_per_image(self) -> float:
        """Mean service time while all slots compute, in seconds."""
        return sum(size.loaded * sum(size.ratios) / len(size.ratios) for size in self.sizes) / len(
            self.sizes
        )

    @property
    def max_rate(self) -> float:
        """Images per second at which all slots always compute."""
        return self.slots / self.seconds_per_image

    def service_time(self, size: ImageSize, running: int) -> float:
        """Return the median seconds of an image while this number of slots compute.

        The throughput of one slot and that of all are measured, those between are interpolated.
        """
        if self.slots == 1:
            return size.loaded
        one, all_slots = 1 / size.alone, self.slots / size.loaded
        throughput = one + (all_slots - one) * (running - 1) / (self.slots - 1)
        return running / throughput


@dataclass(kw_only=True)
class Outcome:
    """What happened to the counted requests of a simulation."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from arrival to the end of each cartoon, in order of their ends."""
    waits: list[float] = field(default_factory=list)
    """Seconds in the queue, of the same requests."""
    rejected: Counter[RejectionReason] = field(default_factory=Counter)
    late: int = 0
    """Accepted requests that missed their deadline: 504."""
    mean_load_ratio: float = 0.0
    """Time average of running and queued images per slot."""

    @property
    def requests(self) -> int:
        """Number of counted requests."""
        return len(self.latencies) + self.rejected.total() + self.late

    @property
    def rejected_share(self) -> float:
        """Rejections per request."""
        return self.rejected.total() / self.requests

    @property
    def late_share(self) -> float:
        """Missed deadlines per request."""
        return self.late / self.requests

    def percentile(self, share: float) -> float:
        """Return the latency within which this share of the cartoons ended; infinite without."""
        ordered = sorted(self.latencies)
        return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else inf


class _Event(IntEnum):
    """Events by priority at the same time: a slot is free before the next request arrives."""

    END = 0
    DEADLINE = 1
    ARRIVAL = 2


@dataclass(eq=False, slots=True)
class _Request:
    size: ImageSize
    ratio: float
    arrived: float
    is_counted: bool
    remaining: float = 1.0
    """Share of the work that is left."""


def simulate(
    model: ReplicaModel,
    rate: float,
    *,
    queue_size: int,
    timeout: float,
    arrivals: int = ARRIVALS,
    seed: int = 0,
) -> Outcome:
    """Simulate Poisson arrivals at ``rate`` per second; the same seed gives the same outcome.

    ``timeout`` is that of a request, in seconds. Ends with the last request.
    """
    chance = random.Random(seed)  # noqa: S311 - Repeatable on purpose.
    times = accumulate(chance.expovariate(rate) for _ in range(arrivals))
    return replay(
        model,
        [(time, chance.choice(model.sizes)) for time in times],
        queue_size=queue_size,
        timeout=timeout,
        uncounted=int(arrivals * WARM_UP_SHARE),
        seed=seed,
    )


def replay(
    model: ReplicaModel,
    arrivals: Sequence[tuple[float, ImageSize]],
    *,
    queue_size: int,
    timeout: float,
    uncounted: int = 0,
    seed: int = 0,
) -> Outcome:
    """Simulate given arrivals, in order of their times; the first ``uncounted`` fill the queue."""
    simulation = _Simulation(
        model, arrivals, queue_size=queue_size, timeout=timeout, uncounted=uncounted, seed=seed
    )
    return simulation.run()


class _Simulation:
    def __init__(
        self,
        model: ReplicaModel,
        arrivals: Sequence[tuple[float, ImageSize]],
        *,
        queue_size: int,
        timeout: float,
        uncounted: int,
        seed: int,
    ) -> None:
        self._model = model
        self._arrivals = arrivals
        self._timeout = timeout
        self._uncounted = uncounted
        self._random = random.Random(seed)  # noqa: S311 - Repeatable on purpose.
        self._now = 0.0
        self._admission = Admission(
            slots=model.slots,
            queue_size=queue_size,
            max_uploads=1,
            max_waiting_bytes=0,
            max_service_time=model.max_service_time,
            clock=lambda: self._now,
        )
        for cost, seconds in model.calibrations:
            self._admission.service_time.calibrate(cost, seconds)
        self._events: list[tuple[float, _Event, int, Any]] = []
        self._pushed = 0
        self._requests: dict[Job[Any], _Request] = {}
        """Those that are queued or running."""
        self._running: list[Job[Any]] = []
        self._next_end = 0
        """Number of the valid end event: earlier ones were predictions that changed."""
        self._outcome = Outcome()
        self._arrived = 0
        self._counted_seconds = 0.0
        self._load_seconds = 0.0
        """Seconds of all counted requests together."""

    def run(self) -> Outcome:
        self._push(self._arrivals[0][0], _Event.ARRIVAL)
        while self._events:
            time, event, number, job = heappop(self._events)
            if event is _Event.END and number != self._next_end:
                continue
            if event is _Event.DEADLINE and job not in self._requests:
                continue
            self._advance(time)
            if event is _Event.ARRIVAL:
                self._arrive()
            elif event is _Event.END:
                self._end(job)
            elif job.started_at is None:
                self._admission.cancel(job, DeadlineExceeded())
                self._outcome.late += self._requests.pop(job).is_counted
            self._start_jobs()
        self._outcome.mean_load_ratio = self._load_seconds / (
            self._counted_seconds * self._model.slots
        )
        return self._outcome

    def _push(self, time: float, event: _Event, job: Job[Any] | None = None) -> int:
        self._pushed += 1
        heappush(self._events, (time, event, self._pushed, job))
        return self._pushed

    def _advance(self, time: float) -> None:
        """Let the running images proceed until a time."""
        elapsed = time - self._now
        for job in self._running:
            self._requests[job].remaining -= elapsed / self._seconds(job)
        if self._is_counting:
            self._counted_seconds += elapsed
            self._load_seconds += elapsed * len(self._requests)
        self._now = time

    @property
    def _is_counting(self) -> bool:
        """Whether the load is that of the rate: not at first, nor after the last arrival."""
        return self._uncounted <= self._arrived < len(self._arrivals)

    def _seconds(self, job: Job[Any]) -> float:
        """Return the seconds that an image takes with as many slots running as now."""
        request = self._requests[job]
        return request.ratio * self._model.service_time(request.size, len(self._running))

    def _arrive(self) -> None:
        is_counted = self._is_counting
        _, size = self._arrivals[self._arrived]
        self._arrived += 1
        if self._arrived < len(self._arrivals):
            self._push(self._arrivals[self._arrived][0], _Event.ARRIVAL)
        request = _Request(size, self._random.choice(size.ratios), self._now, is_counted)
        try:
            job: Job[Any] = self._admission.submit(
                lambda: None, cost=size.cost, deadline=self._now + self._timeout
            )
        except Rejected as rejection:
            self._outcome.rejected[rejection.reason] += is_counted
            return
        self._requests[job] = request
        self._push(job.deadline, _Event.DEADLINE, job)

    def _start_jobs(self) -> None:
        """Fill the free slots, and predict which image ends next."""
        while self._admission.queued and self._admission.busy < self._admission.slots:
            job = self._admission.start_next()
            assert job is not None
            self._running.append(job)
        if self._running:
            left = {
                job: self._requests[job].remaining * self._seconds(job) for job in self._running
            }
            job = min(left, key=left.__getitem__)
            self._next_end = self._push(self._now + max(0.0, left[job]), _Event.END, job)

    def _end(self, job: Job[Any]) -> None:
        self._running.remove(job)
        self._admission.service_time.observe(job.cost, job.run_seconds)
        self._admission.end(job)
        request = self._requests.pop(job)
        if not request.is_counted:
            return
        if self._now >= job.deadline:
            self._outcome.late += 1
        else:
            self._outcome.latencies.append(self._now - request.arrived)
            self._outcome.waits.append(job.wait_seconds)
