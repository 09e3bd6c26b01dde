"""Admission queue: capacity, order, dropped and withdrawn jobs."""

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
    WorkFailed,
    in_background,
    rejection,
)
from tests.support.polling import until


@pytest.mark.parametrize("queue", [0, 1, 3])
def test_as_many_images_wait_as_the_queue_holds(harness, queue):
    one = harness(slots=2, queue=queue)
    works = [one.occupy()[0], one.occupy()[0], *(one.submit()[0] for _ in range(queue))]
    assert one.admission.queued == queue
    assert one.rejection().reason is RejectionReason.QUEUE_FULL
    assert rejection(lambda: one.admission.check(FAR)).reason is RejectionReason.QUEUE_FULL
    works[0].end()
    until(lambda: one.admission.busy + one.admission.queued == queue + 1)
    one.admission.check(FAR)
    one.submit()
    assert one.rejection().reason is RejectionReason.QUEUE_FULL


def test_free_slots_are_places_even_before_they_take_their_image():
    admission = Admission(slots=2, queue=1, uploads=1)
    for _ in range(3):
        admission.submit(Payload, cost=1, deadline=FAR)
    rejection(lambda: admission.submit(Payload, cost=1, deadline=FAR))
    assert admission.load_ratio == 1.5


@pytest.mark.parametrize("uploads", [1, 2])
def test_as_many_bodies_are_received_as_may_be(harness, uploads):
    one = harness(uploads=uploads)
    permits = [one.admission.upload(0) for _ in range(uploads)]
    rejected = rejection(lambda: one.admission.upload(0))
    assert (rejected.reason, rejected.retry_after) == (RejectionReason.UPLOAD_LIMIT, 1)
    permits[0].release()
    one.admission.upload(0)


def test_a_body_that_is_received_has_neither_slot_nor_place(harness):
    one = harness(queue=0)
    with one.admission.upload(0):
        assert one.admission.load_ratio == 0
        one.occupy()
        assert one.rejection().reason is RejectionReason.QUEUE_FULL


@pytest.mark.parametrize("cost", [0, -1, float("nan")])
def test_an_image_costs_more_than_nothing(harness, cost):
    with pytest.raises(ValueError, match="cost is more than 0"):
        harness().submit(cost=cost)


def breaks() -> bool:
    raise OSError


@pytest.mark.parametrize(
    ("now", "is_wanted", "error"),
    [
        (5, lambda: True, DeadlineExceeded),
        (0, lambda: False, ClientDisconnected),
        (0, breaks, OSError),
    ],
)
def test_an_image_that_nobody_wants_is_dropped_at_the_head_of_the_queue(
    harness, now, is_wanted, error
):
    one = harness()
    running, _ = one.occupy()
    unwanted, job = one.submit(deadline=5, is_wanted=is_wanted)
    wanted, _ = one.submit()
    one.clock.turn(now)
    running.end()
    assert wanted.started.wait(BOUND_S)
    with pytest.raises(error):
        job.result()
    assert unwanted.runs == 0
    assert one.admission.busy == 1


def test_a_slow_look_whether_the_client_is_there_stops_nobody_else(harness):
    one = harness(slots=2)
    looked, look_on = Event(), Event()

    def is_wanted() -> bool:
        looked.set()
        return look_on.wait(BOUND_S)

    slow, _ = one.submit(is_wanted=is_wanted)
    assert looked.wait(BOUND_S)
    one.occupy()
    assert not slow.started.is_set()
    look_on.set()
    assert slow.started.wait(BOUND_S)


@pytest.mark.promise("Load: no queued image is lost or computed twice")
def test_a_crowd_that_does_everything_at_once_loses_and_doubles_nothing(harness):
    clients, images = 8, 40
    one = harness(slots=3, queue=4, uploads=2)
    running, most = 0, 0
    lock = Lock()

    def work(choice: float) -> float:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            if choice < 0.2:
                raise WorkFailed
            return choice
        finally:
            with lock:
                running -= 1

    def send(random_: random.Random) -> str:
        choice = random_.random()
        try:
            with one.admission.upload(BOUND_S):
                assert one.admission.uploads.held <= 2
            job = one.admission.submit(
                partial(work, choice), cost=1, deadline=FAR, is_wanted=lambda: choice < 0.8
            )
            if 0.5 < choice < 0.6:
                one.admission.withdraw(job, AdmissionStopped())
            assert job.result() == choice
        except (Rejected, ClientDisconnected, WorkFailed, AdmissionStopped) as error:
            return type(error).__name__
        return "answer"

    def be_a_client(seed: int) -> list[str]:
        random_ = random.Random(seed)
        return [send(random_) for _ in range(images)]

    crowd = [in_background(partial(be_a_client, seed)) for seed in range(clients)]
    outcomes = [outcome for client in crowd for outcome in client.result(BOUND_S)]
    assert len(outcomes) == clients * images
    assert {"answer", "ClientDisconnected", "WorkFailed"} <= set(outcomes)
    assert most <= 3
    assert one.admission.uploads.held == one.admission.uploads.waiting == 0
    until(lambda: one.admission.load_ratio == 0)
