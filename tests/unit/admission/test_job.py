"""A ticket: what its waiter gets, when it stops waiting, and what is let go."""

import traceback
from collections.abc import Callable

import pytest

from dctnet.admission import Admission, ClientGone, DeadlinePassed, Ticket
from dctnet.admission import job as ticket_module
from dctnet.admission.job import State
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
) -> Ticket[object]:
    return admission.submit(work, cost=1, deadline=deadline, is_wanted=is_wanted)


def sleeps(ticket: Ticket[object]) -> bool:
    """Whether the ticket's waiter waits by now."""
    return bool(ticket._changed._waiters)


def test_the_waiter_gets_what_the_work_returned(admission):
    ticket = submit(admission, lambda: 7)
    assert ticket.state is State.QUEUED
    answer = ticket.compute()
    assert ticket.state is State.RUNNING
    ticket.finish(answer, None)
    assert ticket.state is State.DONE
    assert ticket.result() == 7


def test_an_answer_may_be_none(admission):
    ticket = submit(admission, lambda: None)
    ticket.finish(ticket.compute(), None)
    assert ticket.result() is None


def test_the_waiter_gets_the_error_of_the_work_and_where_it_was_raised(admission):
    ticket = submit(admission, fail)
    with pytest.raises(WorkFailed) as raised:
        ticket.compute()
    ticket.finish(None, raised.value)
    with pytest.raises(WorkFailed) as caught:
        ticket.result()
    assert caught.value is raised.value
    assert "in fail" in "".join(traceback.format_exception(caught.value))


def test_one_that_ends_without_being_computed_was_dropped(admission):
    ticket = submit(admission)
    ticket.finish(None, ClientGone())
    assert ticket.state is State.DROPPED
    with pytest.raises(ClientGone):
        ticket.result()


def test_a_result_is_handed_over_once(admission):
    ticket = submit(admission)
    ticket.finish(ticket.compute(), None)
    ticket.result()
    with pytest.raises(AssertionError, match="once"):
        ticket.result()


def test_a_waiter_is_woken_by_the_outcome(admission, monkeypatch):
    monkeypatch.setattr(ticket_module, "LOOK_S", 10 * BOUND_S)
    ticket = submit(admission)
    waiter = in_background(ticket.result)
    until(lambda: sleeps(ticket))
    ticket.finish("answer", None)
    assert waiter.result(BOUND_S) == "answer"


def test_a_waiter_leaves_at_its_deadline_and_not_before(admission, clock):
    ticket = submit(admission, deadline=5)
    clock.now = 4.999
    ticket.require_wanted()
    waiter = in_background(ticket.result)
    until(lambda: sleeps(ticket))
    assert not waiter.done()
    clock.now = 5
    with pytest.raises(DeadlinePassed):
        ticket.require_wanted()
    with pytest.raises(DeadlinePassed):
        waiter.result(BOUND_S)
    assert admission.queued == 0
    assert ticket.state is State.DROPPED


def test_a_waiter_leaves_when_its_client_is_gone(admission):
    here = [True]
    ticket = submit(admission, is_wanted=lambda: here[0])
    waiter = in_background(ticket.result)
    until(lambda: sleeps(ticket))
    assert not waiter.done()
    here[0] = False
    with pytest.raises(ClientGone):
        waiter.result(BOUND_S)
    assert admission.queued == 0
    assert ticket.state is State.DROPPED


@pytest.mark.parametrize("error", [OSError, SystemExit])
def test_a_waiter_that_is_broken_off_leaves_the_queue(admission, error):
    def breaks() -> bool:
        raise error

    ticket = submit(admission, is_wanted=breaks)
    with pytest.raises(error):
        ticket.result()
    assert admission.queued == 0
    assert ticket.state is State.DROPPED


def test_an_answer_that_is_there_is_handed_over_even_after_the_deadline(admission, clock):
    ticket = submit(admission, deadline=5, is_wanted=lambda: False)
    ticket.finish(ticket.compute(), None)
    clock.now = 6
    assert ticket.result() is not None


def test_a_ticket_tells_how_long_it_waited_and_how_long_it_ran(admission, clock):
    ticket = submit(admission)
    clock.turn(2)
    assert (ticket.waited, ticket.ran) == (2, 0)
    ticket.start()
    clock.turn(3)
    assert (ticket.waited, ticket.ran) == (2, 3)
