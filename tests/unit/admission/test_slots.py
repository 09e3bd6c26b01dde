"""Slots: preparation, failures, and how they come free."""

from threading import Event

import pytest

from dctnet.admission import Admission, AdmissionStopped, DeadlineExceeded, Job, RejectionReason
from tests.support.admission import (
    BOUND_S,
    FAR,
    Payload,
    Work,
    WorkFailed,
    fail,
    patient,
    rejection,
)
from tests.support.polling import until


def test_work_that_raises_says_nothing_of_the_pace(harness):
    one = harness()
    one.calibrate(2)
    work, job = one.occupy()
    one.clock.turn(100)
    work.end(fail)
    with pytest.raises(WorkFailed):
        job.result()
    assert one.admission.service_time.seconds(1) == 2


def test_a_slot_comes_back_when_its_computation_ends_not_when_its_waiter_leaves(harness):
    one = harness(queue=0)
    work, job = one.occupy(deadline=5)
    one.clock.turn(5)
    with pytest.raises(DeadlineExceeded):
        job.result()
    one.clock.turn(2)
    assert one.admission.busy == 1
    assert one.admission.longest_running() == 7
    assert one.rejection().reason is RejectionReason.QUEUE_FULL
    work.end()
    until(lambda: one.admission.busy == 0)
    assert one.admission.longest_running() == 0


def test_a_slot_is_free_before_its_waiter_is_told(harness, monkeypatch):
    one = harness()
    busy: list[int] = []
    finish = Job.finish

    def look_and_finish(job: Job[object], *outcome: object) -> None:
        busy.append(one.admission.busy)
        finish(job, *outcome)

    monkeypatch.setattr(Job, "finish", look_and_finish)
    work, job = one.occupy()
    work.end()
    job.result()
    assert busy == [0]


def test_the_oldest_computation_is_the_longest_running(harness):
    one = harness(slots=2)
    one.occupy()
    one.clock.turn(3)
    one.occupy()
    one.clock.turn(1)
    assert one.admission.longest_running() == 4


def test_each_slot_is_prepared_by_its_thread(harness):
    one = harness(slots=2)
    assert [p.result(BOUND_S) for p in one.prepared] == ["slot-0", "slot-1"]


def test_a_slot_that_is_prepared_takes_no_image_yet():
    admission = Admission(slots=1, queue=1, uploads=1)
    ready = Event()
    admission.start(lambda: ready.wait(BOUND_S))
    work = Work()
    work.end()
    job = admission.submit(work, cost=1, deadline=FAR, is_wanted=patient())
    assert admission.queued == 1
    ready.set()
    job.result()
    admission.stop()


def test_slots_are_started_once(harness):
    one = harness()
    with pytest.raises(RuntimeError, match="started already"):
        one.admission.start(Payload)
    one.occupy()
    second, _ = one.submit()
    assert not second.started.is_set()


def test_where_no_slot_could_be_prepared_all_is_stopped():
    admission = Admission(slots=2, queue=1, uploads=1)
    job = admission.submit(Payload, cost=1, deadline=FAR, is_wanted=patient())

    def break_off() -> None:
        raise MemoryError

    for prepared in admission.start(break_off):
        assert isinstance(prepared.exception(BOUND_S), MemoryError)
    with pytest.raises(AdmissionStopped):
        job.result()
    rejection(lambda: admission.submit(Payload, cost=1, deadline=FAR))
    assert admission.load_ratio == 0
