"""Admission test harness: a manual clock, blocking tasks, background threads."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from math import inf
from threading import Event, Thread, current_thread
from threading import enumerate as all_threads
from typing import Any, TypeVar

import pytest

from dctnet.admission import Admission, Job, Rejected, Reservation

T = TypeVar("T")

BOUND_S = 30.0
"""Bound of anything that is normally immediate, in seconds."""


FAR = 1e9
"""A deadline beyond every prediction, in seconds of the clock."""


class Clock:
    """A clock that only the test advances."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


class Payload:
    """A request body or a result that a weak reference can watch."""


class TaskFailed(Exception):
    """Error of a task, raised on purpose."""


class BlockingTask:
    """A task that blocks until the test ends it."""

    def __init__(self) -> None:
        self.runs = 0
        self.started = Event()
        self._ended = Event()
        self._end: Callable[[], object] = Payload

    def __call__(self, _body: object = None) -> object:
        self.runs += 1
        self.started.set()
        assert self._ended.wait(BOUND_S)
        return self._end()

    def end(self, how: Callable[[], object] = Payload) -> None:
        """Let it return or raise what ``how`` does."""
        self._end = how
        self._ended.set()


def fail() -> None:
    """Raise TaskFailed with a cause."""
    try:
        raise KeyError
    except KeyError as error:
        raise TaskFailed from error


def exit_process() -> None:
    """Raise an error that is not an Exception."""
    raise SystemExit


def connected_check() -> Callable[[], bool]:
    """Return a connection check that is true for BOUND_S, so that no test waits forever."""
    until = time.monotonic() + BOUND_S
    return lambda: time.monotonic() < until


def in_background(call: Callable[[], T]) -> "Future[T]":
    """Call it in a new thread."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def rejection(call: Callable[[], object]) -> Rejected:
    """Return the rejection that a call raises."""
    with pytest.raises(Rejected) as caught:
        call()
    return caught.value


class AdmissionHarness:
    """An Admission with its threads, its clock and its blocking tasks."""

    def __init__(
        self,
        *,
        slots: int = 1,
        queue_size: int = 9,
        max_uploads: int = 1,
        max_waiting_bytes: int = 100,
        max_service_time: float = inf,
        running_clock: Clock | None = None,
    ) -> None:
        self.clock = Clock()
        self.running_clock = running_clock or self.clock
        self.admission = Admission(
            slots=slots,
            queue_size=queue_size,
            max_uploads=max_uploads,
            max_waiting_bytes=max_waiting_bytes,
            max_service_time=max_service_time,
            clock=self.clock,
            running_clock=self.running_clock,
        )
        self.tasks: list[BlockingTask] = []
        others = set(all_threads())
        self.prepared = self.admission.start(lambda: current_thread().name)
        self.threads = set(all_threads()) - others

    def submit(
        self,
        *,
        cost: float = 1,
        deadline: float = FAR,
        is_connected: Callable[[], bool] | None = None,
        body: object = None,
        client: str | None = None,
        reservation: Reservation | None = None,
    ) -> tuple[BlockingTask, Job[object]]:
        task = BlockingTask()
        job = self.admission.submit(
            partial(task, body),
            cost=cost,
            deadline=deadline,
            is_connected=is_connected or connected_check(),
            client=client,
            body=reservation,
        )
        self.tasks.append(task)
        return task, job

    def occupy(self, **options: Any) -> tuple[BlockingTask, Job[object]]:
        """Submit a task and wait until a slot runs it."""
        task, job = self.submit(**options)
        assert task.started.wait(BOUND_S)
        return task, job

    def calibrate(self, seconds_per_cost: float) -> None:
        """Calibrate the service time, as the warm-up does."""
        self.admission.service_time.calibrate(1, seconds_per_cost)

    def rejection(self, **options: Any) -> Rejected:
        return rejection(lambda: self.submit(**options))

    def close(self) -> None:
        """Stop, and require that all slot threads exit."""
        self.admission.stop()
        for task in self.tasks:
            task.end()
        for thread in self.threads:
            thread.join(BOUND_S)
        assert self.admission.busy == self.admission.queued == 0
        assert not any(thread.is_alive() for thread in self.threads)


MakeHarness = Callable[..., AdmissionHarness]
