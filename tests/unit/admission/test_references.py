"""An error says where it was raised, and keeps nothing of what was there.

What jobs leave behind however they end is in `test_properties.py`.
"""

import traceback
from weakref import ref

import pytest

from dctnet.admission.tracebacks import clear_traceback_frames
from tests.support.admission import Payload, fail, leave_the_process
from tests.support.polling import until


def in_its_cause(body: object) -> None:
    raise KeyError


def in_its_context(body: object) -> None:
    raise IndexError


def in_both(first: object, second: object) -> None:
    """Raise an error whose cause and whose context differ."""
    cause: Exception | None = None
    try:
        in_its_cause(first)
    except KeyError as error:
        cause = error
    try:
        in_its_context(second)
    except IndexError:
        raise ValueError from cause


def test_the_bodies_of_an_error_its_cause_and_its_context_are_let_go():
    first, second = Payload(), Payload()
    bodies = [ref(first), ref(second)]
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - It is the one above.
        in_both(first, second)
    first = second = None
    assert all(body() for body in bodies)
    clear_traceback_frames(caught.value)
    assert not any(body() for body in bodies)


def test_where_it_was_raised_stays_known():
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - It is the one above.
        in_both(None, None)
    clear_traceback_frames(caught.value)
    text = "".join(traceback.format_exception(caught.value))
    assert "in in_both" in text
    assert "in in_its_cause" in text


def test_errors_that_go_round_in_a_circle_come_to_an_end():
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    clear_traceback_frames(one)


def test_an_error_that_was_not_raised_has_nothing_to_let_go():
    clear_traceback_frames(ValueError())


@pytest.mark.parametrize("how", [Payload, fail, leave_the_process])
def test_an_outcome_keeps_neither_body_nor_answer_nor_ticket(harness, how, no_collector):
    one = harness()
    body = Payload()
    work, job = one.submit(body=body)
    body_left, ticket_left = ref(body), ref(job)
    del body
    work.end(how)
    kept: object = None  # As the caller keeps an answer, and a log an error.
    try:
        kept = job.result()
    except BaseException as error:
        kept = error
    assert body_left() is None
    kept_left = ref(kept) if how is Payload else None
    del job, kept
    until(lambda: ticket_left() is None)
    assert kept_left is None or kept_left() is None
