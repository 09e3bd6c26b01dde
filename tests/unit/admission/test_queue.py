"""Admission queue: capacity, order, dropped and cancelled jobs."""

import random
from functools import partial
from threading import Event, Lock

import pytest

from dctnet.admission import (
    Admission,
    AdmissionStopped,
    ClientDisconnected,
    DeadlineExceeded,
    Rejected,
    RejectionReason,
)
from tests.support.admission import (
    BOUND_S,
    FAR,
    Payload,
    TaskFailed,
    in_background,
    rejection,
)
from tests.support.polling import until


@pytest.mark.parametrize("queue", [0, 1, 3])
def test_queue_size_limit(harness, queue):
    one = harness(slots=2, queue_size=queue)
    tasks = [one.occupy()[0], one.occupy()[0], *(one.submit()[0] for _ in range(queue))]
    assert one.admission.queued == queue
    assert one.rejection().reason is RejectionReason.QUEUE_FULL
    assert rejection(lambda: one.admission.check(FAR)).reason is RejectionReason.QUEUE_FULL
    tasks[0].end()
    until(lambda: one.admission.busy + one.admission.queued == queue + 1)
    one.admission.check(FAR)
    one.submit()
    assert one.rejection().reason is RejectionReason.QUEUE_FULL


def test_free_slots_count_as_capacity():
    admission = Admission(slots=2, queue_size=1, max_uploads=1, max_waiting_bytes=0)
    for _ in range(3):
        admission.submit(Payload, cost=1, deadline=FAR)
    rejection(lambda: admission.submit(Payload, cost=1, deadline=FAR))
    assert admission.load_ratio == 1.5


@pytest.mark.parametrize("uploads", [1, 2])
def test_upload_limit(harness, uploads):
    one = harness(max_uploads=uploads)
    permits = [one.admission.upload(0) for _ in range(uploads)]
    rejected = rejection(lambda: one.admission.upload(0))
    assert (rejected.reason, rejected.retry_after) == (RejectionReason.UPLOAD_LIMIT, 1)
    permits[0].release()
    one.admission.upload(0)


def test_upload_uses_neither_slot_nor_queue(harness):
    one = harness(queue_size=0)
    with one.admission.upload(0):
        assert one.admission.load_ratio == 0
        one.occupy()
        assert one.rejection().reason is RejectionReason.QUEUE_FULL


@pytest.mark.parametrize("cost", [0, -1, float("nan")])
def test_cost_must_be_positive(harness, cost):
    with pytest.raises(ValueError, match="cost is more than 0"):
        harness().submit(cost=cost)


def fail_check() -> bool:
    raise OSError


@pytest.mark.parametrize(
    ("now", "is_connected", "error"),
    [
        (5, lambda: True, DeadlineExceeded),
        (0, lambda: False, ClientDisconnected),
        (0, fail_check, OSError),
    ],
)
def test_abandoned_job_is_dropped_at_the_head_of_the_queue(harness, now, is_connected, error):
    one = harness()
    running, _ = one.occupy()
    abandoned, job = one.submit(deadline=5, is_connected=is_connected)
    next_task, _ = one.submit()
    one.clock.turn(now)
    running.end()
    assert next_task.started.wait(BOUND_S)
    with pytest.raises(error):
        job.result()
    assert abandoned.runs == 0
    assert one.admission.busy == 1


def test_slow_connection_check_blocks_no_other(harness):
    one = harness(slots=2)
    checked, may_continue = Event(), Event()

    def is_connected() -> bool:
        checked.set()
        return may_continue.wait(BOUND_S)

    slow, _ = one.submit(is_connected=is_connected)
    assert checked.wait(BOUND_S)
    one.occupy()
    assert not slow.started.is_set()
    may_continue.set()
    assert slow.started.wait(BOUND_S)


@pytest.mark.promise("Load: no queued image is lost or computed twice")
def test_concurrent_clients_lose_and_duplicate_no_job(harness):
    clients, images = 8, 40
    one = harness(slots=3, queue_size=4, max_uploads=2)
    running, most = 0, 0
    lock = Lock()

    def task(choice: float) -> float:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            if choice < 0.2:
                raise TaskFailed
            return choice
        finally:
            with lock:
                running -= 1

    def send(random_: random.Random) -> str:
        choice = random_.random()
        try:
            with one.admission.upload(BOUND_S):
                assert one.admission.uploads.in_use <= 2
            job = one.admission.submit(
                partial(task, choice), cost=1, deadline=FAR, is_connected=lambda: choice < 0.8
            )
            if 0.5 < choice < 0.6:
                one.admission.cancel(job, AdmissionStopped())
            assert job.result() == choice
        except (Rejected, ClientDisconnected, TaskFailed, AdmissionStopped) as error:
            return type(error).__name__
        return "result"

    def run_client(seed: int) -> list[str]:
        random_ = random.Random(seed)
        return [send(random_) for _ in range(images)]

    crowd = [in_background(partial(run_client, seed)) for seed in range(clients)]
    outcomes = [outcome for client in crowd for outcome in client.result(BOUND_S)]
    assert len(outcomes) == clients * images
    assert {"result", "ClientDisconnected", "TaskFailed"} <= set(outcomes)
    assert most <= 3
    assert one.admission.uploads.in_use == one.admission.uploads.waiting == 0
    until(lambda: one.admission.load_ratio == 0)
