"""Deadline rejections: predicted completion times and `Retry-After`."""

import pytest

from dctnet.admission import RejectionReason
from tests.support.admission import rejection


def test_deadline_is_exclusive(slow):
    assert slow.rejection(deadline=2).reason is RejectionReason.DEADLINE
    slow.submit(deadline=2.001)


def test_predicted_wait_counts_running_and_queued_jobs(slow):
    slow.occupy(cost=1)
    slow.clock.turn(0.5)
    slow.submit(cost=3)
    end = 2 + 6 + 4
    assert slow.rejection(cost=2, deadline=end).reason is RejectionReason.DEADLINE
    slow.submit(cost=2, deadline=end + 0.001)


def test_check_rejects_by_the_predicted_wait(slow):
    slow.admission.check(0.001)
    slow.occupy()
    slow.submit()
    assert rejection(lambda: slow.admission.check(4)).reason is RejectionReason.DEADLINE
    slow.admission.check(4.001)


def test_overdue_job_is_predicted_to_need_its_overrun_again(slow):
    slow.occupy()
    slow.clock.now = 12
    assert slow.rejection(deadline=12 + 10 + 2).reason is RejectionReason.DEADLINE
    slow.submit(deadline=12 + 10 + 2.001)


def test_hanging_job_delays_only_its_slot(harness):
    one = harness(slots=2)
    one.calibrate(2)
    one.occupy()
    one.clock.turn(1000)
    one.occupy()
    one.submit()
    now = one.clock.now
    assert one.rejection(deadline=now + 6).reason is RejectionReason.DEADLINE
    one.submit(deadline=now + 6.001)


@pytest.mark.parametrize(("queued", "seconds"), [(0, 1), (1, 2), (2, 3), (8, 9)])
def test_retry_after_is_half_the_predicted_wait(slow, queued, seconds):
    slow.occupy()
    for _ in range(queued):
        slow.submit()
    assert slow.rejection(deadline=slow.clock() + 0.5).retry_after == seconds


def test_retry_after_is_in_whole_seconds(slow):
    slow.occupy()
    slow.submit(cost=1.01)
    assert slow.rejection(deadline=0.5).retry_after == 3


def test_full_queue_rejection_has_retry_after(harness):
    one = harness(queue_size=1)
    one.calibrate(10)
    one.occupy()
    one.submit()
    rejected = one.rejection()
    assert (rejected.reason, rejected.retry_after) == (RejectionReason.QUEUE_FULL, 10)


def test_predicted_wait_follows_fair_queueing(slow):
    slow.occupy(client="much")
    for _ in range(4):
        slow.submit(client="much")
    rejected = slow.rejection(client="much", deadline=10)
    assert (rejected.reason, rejected.retry_after) == (RejectionReason.DEADLINE, 5)
    rejected = slow.rejection(client="little", deadline=4)
    assert (rejected.reason, rejected.retry_after) == (RejectionReason.DEADLINE, 1)
    slow.admission.check(2.001, "little")
    slow.submit(client="little", deadline=4.001)
