"""Job: results, errors, deadlines, disconnects and times."""

import traceback
from collections.abc import Callable

import pytest

from dctnet.admission import Admission, ClientDisconnected, DeadlineExceeded, Job
from dctnet.admission import job as job_module
from dctnet.admission.job import JobState
from tests.support.admission import (
    BOUND_S,
    FAR,
    Clock,
    TaskFailed,
    fail,
    in_background,
)
from tests.support.polling import until


@pytest.fixture
def admission(clock: Clock) -> Admission:
    """An admission without running slots: the test acts as the slot."""
    return Admission(slots=1, queue_size=9, max_uploads=1, max_waiting_bytes=0, clock=clock)


def submit(
    admission: Admission,
    task: Callable[[], object] = object,
    deadline: float = FAR,
    is_connected: Callable[[], bool] = lambda: True,
) -> Job[object]:
    return admission.submit(task, cost=1, deadline=deadline, is_connected=is_connected)


def is_waiting(job: Job[object]) -> bool:
    """Whether the job's waiter is waiting."""
    return bool(job._changed._waiters)


def test_result_is_the_tasks_return_value(admission):
    job = submit(admission, lambda: 7)
    assert job.state is JobState.QUEUED
    response = job.compute()
    assert job.state is JobState.RUNNING
    job.finish(response, None)
    assert job.state is JobState.DONE
    assert job.result() == 7


def test_result_may_be_none(admission):
    job = submit(admission, lambda: None)
    job.finish(job.compute(), None)
    assert job.result() is None


def test_result_raises_the_tasks_error_with_its_traceback(admission):
    job = submit(admission, fail)
    with pytest.raises(TaskFailed) as raised:
        job.compute()
    job.finish(None, raised.value)
    with pytest.raises(TaskFailed) as caught:
        job.result()
    assert caught.value is raised.value
    assert "in fail" in "".join(traceback.format_exception(caught.value))


def test_job_finished_without_running_is_dropped(admission):
    job = submit(admission)
    job.finish(None, ClientDisconnected())
    assert job.state is JobState.DROPPED
    with pytest.raises(ClientDisconnected):
        job.result()


def test_result_is_available_once(admission):
    job = submit(admission)
    job.finish(job.compute(), None)
    job.result()
    with pytest.raises(AssertionError, match="once"):
        job.result()


def test_outcome_wakes_the_waiter(admission, monkeypatch):
    monkeypatch.setattr(job_module, "POLL_INTERVAL_S", 10 * BOUND_S)
    job = submit(admission)
    waiter = in_background(job.result)
    until(lambda: is_waiting(job))
    job.finish("answer", None)
    assert waiter.result(BOUND_S) == "answer"


def test_result_raises_at_the_deadline(admission, clock):
    job = submit(admission, deadline=5)
    clock.now = 4.999
    job.check_active()
    waiter = in_background(job.result)
    until(lambda: is_waiting(job))
    assert not waiter.done()
    clock.now = 5
    with pytest.raises(DeadlineExceeded):
        job.check_active()
    with pytest.raises(DeadlineExceeded):
        waiter.result(BOUND_S)
    assert admission.queued == 0
    assert job.state is JobState.DROPPED


def test_result_raises_when_the_client_disconnects(admission):
    here = [True]
    job = submit(admission, is_connected=lambda: here[0])
    waiter = in_background(job.result)
    until(lambda: is_waiting(job))
    assert not waiter.done()
    here[0] = False
    with pytest.raises(ClientDisconnected):
        waiter.result(BOUND_S)
    assert admission.queued == 0
    assert job.state is JobState.DROPPED


@pytest.mark.parametrize("error", [OSError, SystemExit])
def test_interrupted_waiter_leaves_the_queue(admission, error):
    def fail_check() -> bool:
        raise error

    job = submit(admission, is_connected=fail_check)
    with pytest.raises(error):
        job.result()
    assert admission.queued == 0
    assert job.state is JobState.DROPPED


def test_finished_result_is_returned_after_the_deadline(admission, clock):
    job = submit(admission, deadline=5, is_connected=lambda: False)
    job.finish(job.compute(), None)
    clock.now = 6
    assert job.result() is not None


def test_job_wait_and_run_times(admission, clock):
    job = submit(admission)
    clock.turn(2)
    assert (job.wait_seconds, job.run_seconds) == (2, 0)
    job.start()
    clock.turn(3)
    assert (job.wait_seconds, job.run_seconds) == (2, 3)
