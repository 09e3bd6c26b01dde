"""Draining and stopping the admission."""

from dctnet.admission import RejectionReason
from tests.support.admission import FAR, rejection


def test_drain_admits_clients_with_a_short_wait(slow):
    slow.occupy(client="much")
    slow.submit(client="much")
    slow.admission.drain(shutdown_at=5)
    assert slow.rejection(client="much").reason is RejectionReason.DRAINING
    slow.submit(client="little")


def test_drain_admits_jobs_that_finish_in_time(slow):
    slow.admission.drain(shutdown_at=4)
    slow.admission.check(FAR)
    slow.occupy()
    rejected = slow.rejection()
    assert (rejected.reason, rejected.retry_after) == (RejectionReason.DRAINING, 1)
    slow.submit(cost=0.999)


def test_check_rejects_after_the_shutdown_time(harness):
    one = harness()
    one.admission.drain(shutdown_at=10)
    one.clock.now = 9.999
    one.admission.check(FAR)
    one.clock.now = 10
    assert rejection(lambda: one.admission.check(FAR)).reason is RejectionReason.DRAINING
