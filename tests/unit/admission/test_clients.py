"""Fair queueing in the admission: queue positions and quotas per client."""

from dctnet.admission import ClientDisconnected, RejectionReason
from tests.support.admission import FAR, rejection
from tests.support.polling import until


def test_queue_position(harness):
    one = harness()
    running, running_job = one.occupy(client="much")
    _, second = one.submit(client="much")
    _, third = one.submit(client="much")
    assert [job.position for job in (running_job, second, third)] == [0, 1, 2]
    other, _ = one.submit(client="little")
    assert [job.position for job in (second, third)] == [1, 3]
    one.admission.cancel(second, ClientDisconnected())
    assert [job.position for job in (second, third)] == [0, 1]
    running.end()
    other.end()
    until(lambda: third.position == 0)


def test_quota_leaves_capacity_for_other_clients(harness):
    one = harness(queue_size=7)
    one.occupy(client="much")
    jobs = [one.submit(client="much")[1] for _ in range(5)]
    assert one.rejection(client="much").reason is RejectionReason.QUOTA
    one.admission.cancel(jobs[0], ClientDisconnected())
    one.submit(client="much")
    assert one.rejection(client="much").reason is RejectionReason.QUOTA
    assert rejection(lambda: one.admission.check(FAR, "much")).reason is RejectionReason.QUOTA
    one.admission.check(FAR, "little")
    one.submit(client="little")
    one.submit(client="another")
    assert one.rejection(client="new").reason is RejectionReason.QUEUE_FULL


def test_quota_does_not_apply_to_free_slots(harness):
    one = harness(slots=4, queue_size=0)
    for _ in range(4):
        one.occupy(client="much")
    assert one.rejection(client="much").reason is RejectionReason.QUEUE_FULL
