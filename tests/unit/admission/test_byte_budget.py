"""Byte budget: room, quotas and reservations with one owner. Leaks: see `test_properties.py`."""

from threading import Barrier

import pytest

from dctnet.admission import ByteBudget, Client, RejectionReason, Reservation
from tests.support.admission import BOUND_S, in_background, rejection
from tests.support.polling import until


def reserved(budget: ByteBudget, size: int, client: Client = None) -> Reservation:
    return budget.reserve(size, client, 1.0)


def rejection_reason(budget: ByteBudget, size: int, client: Client = None) -> RejectionReason:
    return rejection(lambda: reserved(budget, size, client)).reason


def test_capacity_is_exact():
    budget = ByteBudget(10)
    assert rejection_reason(budget, 11) is RejectionReason.WAITING_BYTES
    reserved(budget, 4)
    assert rejection_reason(budget, 7) is RejectionReason.WAITING_BYTES
    reserved(budget, 6)
    assert (budget.in_use, budget.free) == (10, 0)
    assert rejection_reason(budget, 1) is RejectionReason.WAITING_BYTES


def test_largest_body_is_admitted_to_an_idle_replica_for_any_client():
    for client in None, "one":
        assert reserved(ByteBudget(10), 10, client).size == 10


@pytest.mark.parametrize("size", [1, 7, 24])
def test_client_cannot_take_the_whole_budget(size):
    """Three quarters are for one; the next may have a body as large."""
    budget = ByteBudget(100)
    while budget.in_use + size <= 75:
        reserved(budget, size, "much")
    assert rejection_reason(budget, size, "much") is RejectionReason.QUOTA
    reserved(budget, size, "little")


def test_reservation_shrinks_and_never_grows():
    budget = ByteBudget(10)
    body = reserved(budget, 10)
    for size, left in (4, 4), (8, 4), (0, 0), (3, 0):
        body.shrink(size)
        assert budget.in_use == body.size == left


def test_moved_reservation_is_released_by_its_new_owner_alone():
    budget = ByteBudget(10)
    with reserved(budget, 7) as body:
        moved = body.move()
        assert body.move().size == 0
    assert (budget.in_use, moved.size) == (7, 7)
    moved.release()
    moved.release()
    assert budget.in_use == 0


def test_release_is_idempotent_across_threads():
    budget = ByteBudget(10)
    kept, body = reserved(budget, 3), reserved(budget, 7)
    together = Barrier(4)

    def release() -> None:
        together.wait(BOUND_S)
        body.release()

    for done in [in_background(release) for _ in range(4)]:
        done.result(BOUND_S)
    assert budget.in_use == kept.size == 3


def test_rejection_says_when_to_retry(slow):
    """By the predicted wait, as for a full queue."""
    slow.occupy()
    for _ in range(9):
        slow.submit()
    one = rejection(lambda: slow.admission.reserve(101))
    assert (one.reason, one.retry_after) == (RejectionReason.WAITING_BYTES, 10)


def test_job_holds_bytes_until_a_slot_takes_it(harness):
    one = harness()
    one.occupy(reservation=one.admission.reserve(50))
    assert one.admission.waiting_bytes.in_use == 0
    with one.admission.reserve(60) as body:
        body.shrink(40)
        task, _ = one.submit(reservation=body)
    assert one.admission.waiting_bytes.in_use == 40
    one.tasks[0].end()
    assert task.started.wait(BOUND_S)
    assert one.admission.waiting_bytes.in_use == 0


@pytest.mark.parametrize("how", ["cancel", "stop", "deadline"])
def test_dropped_job_releases_its_bytes(harness, how):
    one = harness()
    running, _ = one.occupy()
    _, job = one.submit(reservation=one.admission.reserve(40), deadline=100)
    assert one.admission.waiting_bytes.in_use == 40
    if how == "cancel":
        one.admission.cancel(job, ValueError())
    elif how == "stop":
        one.admission.stop()
    else:
        one.clock.turn(101)
        running.end()
    until(lambda: one.admission.waiting_bytes.in_use == 0)


def test_rejected_job_leaves_its_bytes_to_the_caller(harness):
    one = harness(queue_size=0)
    one.occupy()
    with one.admission.reserve(40) as body:
        assert one.rejection(reservation=body).reason is RejectionReason.QUEUE_FULL
        assert one.admission.waiting_bytes.in_use == 40
    assert one.admission.waiting_bytes.in_use == 0
