"""Draining and stopping the admission."""

from dctnet.admission import RejectionReason
from tests.support.admission import FAR, rejection


def test_while_draining_who_waits_little_is_taken(slow):
    slow.occupy(client="much")
    slow.submit(client="much")
    slow.admission.drain(ends_at=5)
    assert slow.rejection(client="much").reason is RejectionReason.DRAINING
    slow.submit(client="little")


def test_while_draining_what_can_be_finished_is_taken(slow):
    slow.admission.drain(ends_at=4)
    slow.admission.check(FAR)
    slow.occupy()
    rejected = slow.rejection()
    assert (rejected.reason, rejected.retry_after) == (RejectionReason.DRAINING, 1)
    slow.submit(cost=0.999)


def test_headers_are_rejected_once_the_end_is_there(harness):
    one = harness()
    one.admission.drain(ends_at=10)
    one.clock.now = 9.999
    one.admission.check(FAR)
    one.clock.now = 10
    assert rejection(lambda: one.admission.check(FAR)).reason is RejectionReason.DRAINING
