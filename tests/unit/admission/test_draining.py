"""Draining and stopping the admission."""

import pytest

from dctnet.admission import Reason, Stopped
from tests.support.admission import FAR, refusal
from tests.support.polling import until


def test_while_draining_who_waits_little_is_taken(slow):
    slow.occupy(client="much")
    slow.submit(client="much")
    slow.admission.drain(ends_at=5)
    assert slow.refusal(client="much").reason is Reason.DRAINING
    slow.submit(client="little")


def test_while_draining_what_can_be_finished_is_taken(slow):
    slow.admission.drain(ends_at=4)
    slow.admission.check(FAR)
    slow.occupy()
    refused = slow.refusal()
    assert (refused.reason, refused.retry_after) == (Reason.DRAINING, 1)
    slow.submit(cost=0.999)


def test_the_earliest_end_counts(slow):
    slow.admission.drain(ends_at=1)
    slow.admission.drain(ends_at=100)
    assert slow.refusal().reason is Reason.DRAINING


def test_headers_are_refused_once_the_end_is_there(harness):
    one = harness()
    one.admission.drain(ends_at=10)
    one.clock.now = 9.999
    one.admission.check(FAR)
    one.clock.now = 10
    assert refusal(lambda: one.admission.check(FAR)).reason is Reason.DRAINING


def test_what_waits_when_draining_begins_is_computed(harness):
    one = harness()
    running, _ = one.occupy()
    waiting, ticket = one.submit()
    one.admission.drain(one.clock())
    running.end()
    waiting.end(lambda: "answer")
    assert ticket.result() == "answer"


def test_stopping_drops_what_waits_and_ends_what_runs(harness):
    one = harness(slots=2)
    works = [one.occupy() for _ in range(2)]
    waiting, dropped = one.submit()
    one.admission.stop()
    with pytest.raises(Stopped):
        dropped.result()
    assert all(thread.is_alive() for thread in one.threads)
    for work, ticket in works:
        work.end(lambda: "answer")
        assert ticket.result() == "answer"
    until(lambda: not any(thread.is_alive() for thread in one.threads))
    assert waiting.runs == 0


def test_nothing_is_taken_once_all_is_stopped(harness):
    one = harness(queue=0)
    one.occupy()
    one.admission.stop()
    one.admission.drain(FAR)
    assert one.refusal().reason is Reason.DRAINING
    assert refusal(lambda: one.admission.check(FAR)).reason is Reason.DRAINING
