"""A job: what its waiter gets, when it stops waiting, and what is let go."""

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
    WorkFailed,
    fail,
    in_background,
)
from tests.support.polling import until


@pytest.fixture
def admission(clock: Clock) -> Admission:
    """One whose slots are not started, so that the test does what they do."""
    return Admission(slots=1, queue=9, uploads=1, clock=clock)


def submit(
    admission: Admission,
    work: Callable[[], object] = object,
    deadline: float = FAR,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Job[object]:
    return admission.submit(work, cost=1, deadline=deadline, is_wanted=is_wanted)


def sleeps(job: Job[object]) -> bool:
    """Whether the job's waiter waits by now."""
    return bool(job._changed._waiters)


def test_the_waiter_gets_what_the_work_returned(admission):
    job = submit(admission, lambda: 7)
    assert job.state is JobState.QUEUED
    answer = job.compute()
    assert job.state is JobState.RUNNING
    job.finish(answer, None)
    assert job.state is JobState.DONE
    assert job.result() == 7


def test_an_answer_may_be_none(admission):
    job = submit(admission, lambda: None)
    job.finish(job.compute(), None)
    assert job.result() is None


def test_the_waiter_gets_the_error_of_the_work_and_where_it_was_raised(admission):
    job = submit(admission, fail)
    with pytest.raises(WorkFailed) as raised:
        job.compute()
    job.finish(None, raised.value)
    with pytest.raises(WorkFailed) as caught:
        job.result()
    assert caught.value is raised.value
    assert "in fail" in "".join(traceback.format_exception(caught.value))


def test_one_that_ends_without_being_computed_was_dropped(admission):
    job = submit(admission)
    job.finish(None, ClientDisconnected())
    assert job.state is JobState.DROPPED
    with pytest.raises(ClientDisconnected):
        job.result()


def test_a_result_is_handed_over_once(admission):
    job = submit(admission)
    job.finish(job.compute(), None)
    job.result()
    with pytest.raises(AssertionError, match="once"):
        job.result()


def test_a_waiter_is_woken_by_the_outcome(admission, monkeypatch):
    monkeypatch.setattr(job_module, "POLL_INTERVAL_S", 10 * BOUND_S)
    job = submit(admission)
    waiter = in_background(job.result)
    until(lambda: sleeps(job))
    job.finish("answer", None)
    assert waiter.result(BOUND_S) == "answer"


def test_a_waiter_leaves_at_its_deadline_and_not_before(admission, clock):
    job = submit(admission, deadline=5)
    clock.now = 4.999
    job.require_wanted()
    waiter = in_background(job.result)
    until(lambda: sleeps(job))
    assert not waiter.done()
    clock.now = 5
    with pytest.raises(DeadlineExceeded):
        job.require_wanted()
    with pytest.raises(DeadlineExceeded):
        waiter.result(BOUND_S)
    assert admission.queued == 0
    assert job.state is JobState.DROPPED


def test_a_waiter_leaves_when_its_client_is_gone(admission):
    here = [True]
    job = submit(admission, is_wanted=lambda: here[0])
    waiter = in_background(job.result)
    until(lambda: sleeps(job))
    assert not waiter.done()
    here[0] = False
    with pytest.raises(ClientDisconnected):
        waiter.result(BOUND_S)
    assert admission.queued == 0
    assert job.state is JobState.DROPPED


@pytest.mark.parametrize("error", [OSError, SystemExit])
def test_a_waiter_that_is_broken_off_leaves_the_queue(admission, error):
    def breaks() -> bool:
        raise error

    job = submit(admission, is_wanted=breaks)
    with pytest.raises(error):
        job.result()
    assert admission.queued == 0
    assert job.state is JobState.DROPPED


def test_an_answer_that_is_there_is_handed_over_even_after_the_deadline(admission, clock):
    job = submit(admission, deadline=5, is_wanted=lambda: False)
    job.finish(job.compute(), None)
    clock.now = 6
    assert job.result() is not None


def test_a_job_tells_how_long_it_waited_and_how_long_it_ran(admission, clock):
    job = submit(admission)
    clock.turn(2)
    assert (job.waited, job.ran) == (2, 0)
    job.start()
    clock.turn(3)
    assert (job.waited, job.ran) == (2, 3)
