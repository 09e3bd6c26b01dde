"""Permits: capacity, order, quotas, idempotent release and timeouts."""

import time
from threading import Barrier

import pytest

from dctnet.admission import Permit, Permits
from tests.support.admission import BOUND_S, in_background
from tests.support.polling import until


def acquired(permits: Permits) -> Permit:
    permit = permits.acquire()
    assert permit is not None
    return permit


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_permits_are_limited_by_capacity(capacity):
    permits = Permits(capacity)
    for in_use in range(1, capacity + 1):
        assert permits.acquire() is not None
        assert permits.in_use == in_use
    assert permits.acquire() is None
    assert permits.in_use == capacity
    assert permits.waiting == 0


def test_released_permit_is_reused():
    permits = Permits(1)
    acquired(permits).release()
    assert permits.in_use == 0
    assert permits.acquire() is not None
    assert permits.acquire() is None


def test_release_is_idempotent():
    permits = Permits(3)
    other = acquired(permits)
    with acquired(permits) as permit:
        permit.release()
        permit.release()
        assert permits.in_use == 1
    assert permits.in_use == 1
    other.release()
    assert permits.in_use == 0


def test_release_is_idempotent_across_threads():
    permits = Permits(10)
    kept = [acquired(permits) for _ in range(5)]
    together = Barrier(4)
    permit = acquired(permits)

    def release() -> None:
        together.wait(BOUND_S)
        permit.release()

    for done in [in_background(release) for _ in range(4)]:
        done.result(BOUND_S)
    assert permits.in_use == len(kept)


def test_permit_is_released_when_its_block_raises():
    permits = Permits(1)
    with pytest.raises(ValueError, match="body"), acquired(permits):
        raise ValueError("body")
    assert permits.in_use == 0


def test_permits_are_fifo():
    permits = Permits(1)
    in_use = acquired(permits)
    waiters = []
    for place in range(1, 5):
        waiters.append(in_background(lambda: permits.acquire(BOUND_S)))
        until(lambda place=place: permits.waiting == place)
    for served, waiter in enumerate(waiters):
        assert not any(later.done() for later in waiters[served:])
        in_use.release()
        permit = waiter.result(BOUND_S)
        assert permit is not None
        in_use = permit


def test_simultaneous_releases_serve_all_waiters():
    permits = Permits(3)
    in_use = [acquired(permits) for _ in range(3)]
    waiters = [in_background(lambda: permits.acquire(BOUND_S)) for _ in range(3)]
    until(lambda: permits.waiting == 3)
    for permit in in_use:
        permit.release()
    assert all(waiter.result(BOUND_S / 5) for waiter in waiters)
    assert permits.in_use == 3


def test_free_permit_goes_to_the_first_waiter():
    permits = Permits(1)
    permits._waiters.push(None, Permit(permits))  # A waiter whose thread has not run yet.
    assert permits.acquire() is None


def test_free_permit_beyond_the_waiters_is_granted():
    permits = Permits(2)
    permits._waiters.push(None, Permit(permits))
    assert permits.acquire() is not None
    assert permits.acquire() is None


def test_quota_of_permits_per_client():
    permits = Permits(4)
    in_use = [permits.acquire(client="much") for _ in range(3)]
    assert permits.acquire(client="much") is None
    waiter = in_background(lambda: permits.acquire(BOUND_S, "much"))
    until(lambda: permits.waiting == 1)
    little = permits.acquire(client="little")
    assert little is not None
    little.release()
    assert (permits.in_use, permits.waiting) == (3, 1)
    assert in_use[0] is not None
    in_use[0].release()
    assert waiter.result(BOUND_S) is not None


def test_permits_are_granted_round_robin():
    permits = Permits(1)
    in_use = acquired(permits)
    waiters = []
    for number, client in enumerate(["much", "much", "little"], 1):
        waiters.append(in_background(lambda client=client: permits.acquire(BOUND_S, client)))
        until(lambda number=number: permits.waiting == number)
    for waiter in waiters[0], waiters[2], waiters[1]:
        in_use.release()
        permit = waiter.result(BOUND_S)
        assert permit is not None
        in_use = permit


def test_timed_out_waiter_gets_no_permit():
    permits = Permits(2)
    kept, in_use = acquired(permits), acquired(permits)
    short = in_background(lambda: permits.acquire(0.2))
    until(lambda: permits.waiting == 1 or short.done())
    long = in_background(lambda: permits.acquire(BOUND_S))
    assert short.result(BOUND_S) is None
    assert permits.in_use == 2
    until(lambda: permits.waiting == 1)
    in_use.release()
    assert long.result(BOUND_S / 5) is not None
    kept.release()
    assert permits.in_use == 1


def test_acquire_timeout():
    permits = Permits(0)
    started = time.monotonic()
    assert permits.acquire(0.1) is None
    assert 0.1 <= time.monotonic() - started < BOUND_S
