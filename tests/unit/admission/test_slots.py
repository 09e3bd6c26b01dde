"""Slots: preparation, failures, and when they become free."""

from threading import Event

import pytest

from dctnet.admission import Admission, AdmissionStopped, DeadlineExceeded, Job, RejectionReason
from tests.support.admission import (
    BOUND_S,
    FAR,
    BlockingTask,
    Payload,
    TaskFailed,
    connected_check,
    fail,
    in_background,
    rejection,
)
from tests.support.polling import until


def test_failed_job_is_not_measured(harness):
    one = harness()
    one.calibrate(2)
    task, job = one.occupy()
    one.clock.turn(100)
    task.end(fail)
    with pytest.raises(TaskFailed):
        job.result()
    assert one.admission.service_time.seconds(1) == 2


def test_slot_is_busy_until_its_job_ends(harness):
    one = harness(queue_size=0)
    task, job = one.occupy(deadline=5)
    one.clock.turn(5)
    with pytest.raises(DeadlineExceeded):
        job.result()
    one.clock.turn(2)
    assert one.admission.busy == 1
    assert one.admission.longest_running() == 7
    assert one.rejection().reason is RejectionReason.QUEUE_FULL
    task.end()
    until(lambda: one.admission.busy == 0)
    assert one.admission.longest_running() == 0


def test_slot_is_free_before_its_waiter_wakes(harness, monkeypatch):
    one = harness()
    busy: list[int] = []
    finish = Job.finish

    def check_and_finish(job: Job[object], *outcome: object) -> None:
        busy.append(one.admission.busy)
        finish(job, *outcome)

    monkeypatch.setattr(Job, "finish", check_and_finish)
    task, job = one.occupy()
    task.end()
    job.result()
    assert busy == [0]


def test_longest_running_is_the_oldest_job(harness):
    one = harness(slots=2)
    one.occupy()
    one.clock.turn(3)
    one.occupy()
    one.clock.turn(1)
    assert one.admission.longest_running() == 4


def test_no_job_waits_while_every_slot_hangs(harness):
    one = harness(slots=2, max_service_time=30)
    first, _ = one.occupy()
    one.clock.turn(10)
    one.occupy()
    _, queued = one.submit()
    waiter = in_background(queued.result)
    one.clock.turn(30)  # The second takes the longest allowed time, the first longer.
    one.admission.check(FAR)
    one.clock.turn(0.001)
    assert one.rejection().reason is RejectionReason.DRAINING
    with pytest.raises(AdmissionStopped):
        waiter.result(BOUND_S)
    assert one.admission.queued == 0
    first.end()
    until(lambda: one.admission.busy == 1)
    task, job = one.occupy()
    task.end()
    job.result()


def test_each_slot_is_prepared_in_its_thread(harness):
    one = harness(slots=2)
    assert [p.result(BOUND_S) for p in one.prepared] == ["slot-0", "slot-1"]


def test_unprepared_slot_takes_no_job():
    admission = Admission(slots=1, queue_size=1, max_uploads=1, max_waiting_bytes=0)
    ready = Event()
    admission.start(lambda: ready.wait(BOUND_S))
    task = BlockingTask()
    task.end()
    job = admission.submit(task, cost=1, deadline=FAR, is_connected=connected_check())
    assert admission.queued == 1
    ready.set()
    job.result()
    admission.stop()


def test_slots_start_once(harness):
    one = harness()
    with pytest.raises(RuntimeError, match="started already"):
        one.admission.start(Payload)
    one.occupy()
    second, _ = one.submit()
    assert not second.started.is_set()


def test_admission_stops_when_no_slot_can_be_prepared():
    admission = Admission(slots=2, queue_size=1, max_uploads=1, max_waiting_bytes=0)
    job = admission.submit(Payload, cost=1, deadline=FAR, is_connected=connected_check())

    def interrupt() -> None:
        raise MemoryError

    for prepared in admission.start(interrupt):
        assert isinstance(prepared.exception(BOUND_S), MemoryError)
    with pytest.raises(AdmissionStopped):
        job.result()
    rejection(lambda: admission.submit(Payload, cost=1, deadline=FAR))
    assert admission.load_ratio == 0
