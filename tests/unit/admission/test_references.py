"""References: errors and outcomes keep no request data alive.

What jobs leave behind however they end is in `test_properties.py`.
"""

import traceback
from weakref import ref

import pytest

from dctnet.admission.tracebacks import clear_traceback_frames
from tests.support.admission import Payload, exit_process, fail
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


def test_frames_of_error_cause_and_context_are_cleared():
    first, second = Payload(), Payload()
    bodies = [ref(first), ref(second)]
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - The error above.
        in_both(first, second)
    first = second = None
    assert all(body() for body in bodies)
    clear_traceback_frames(caught.value)
    assert not any(body() for body in bodies)


def test_traceback_lines_are_kept():
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - The error above.
        in_both(None, None)
    clear_traceback_frames(caught.value)
    text = "".join(traceback.format_exception(caught.value))
    assert "in in_both" in text
    assert "in in_its_cause" in text


def test_cyclic_error_chain_terminates():
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    clear_traceback_frames(one)


def test_error_without_traceback_is_accepted():
    clear_traceback_frames(ValueError())


@pytest.mark.parametrize("how", [Payload, fail, exit_process])
def test_outcome_keeps_no_reference_to_body_result_or_job(harness, how, no_collector):
    one = harness()
    body = Payload()
    task, job = one.submit(body=body)
    body_left, ticket_left = ref(body), ref(job)
    del body
    task.end(how)
    kept: object = None  # As a caller keeps a result, and a log an error.
    try:
        kept = job.result()
    except BaseException as error:
        kept = error
    assert body_left() is None
    kept_left = ref(kept) if how is Payload else None
    del job, kept
    until(lambda: ticket_left() is None)
    assert kept_left is None or kept_left() is None
