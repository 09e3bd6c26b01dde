"""Permits: as many as there are, first come, first served, each given back once."""

import time
from threading import Barrier

import pytest

from dctnet.admission import Permit, Permits
from tests.support.admission import BOUND_S, in_background
from tests.support.polling import until


def taken(permits: Permits) -> Permit:
    permit = permits.acquire()
    assert permit is not None
    return permit


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_as_many_are_handed_out_as_there_are_and_no_more(capacity):
    permits = Permits(capacity)
    for held in range(1, capacity + 1):
        assert permits.acquire() is not None
        assert permits.held == held
    assert permits.acquire() is None
    assert permits.held == capacity
    assert permits.waiting == 0


def test_what_is_given_back_is_handed_out_again():
    permits = Permits(1)
    taken(permits).release()
    assert permits.held == 0
    assert permits.acquire() is not None
    assert permits.acquire() is None


def test_a_permit_is_given_back_once_however_often_it_is_released():
    permits = Permits(3)
    other = taken(permits)
    with taken(permits) as permit:
        permit.release()
        permit.release()
        assert permits.held == 1
    assert permits.held == 1
    other.release()
    assert permits.held == 0


def test_a_permit_is_given_back_once_by_threads_that_release_it_together():
    permits = Permits(10)
    kept = [taken(permits) for _ in range(5)]
    together = Barrier(4)
    permit = taken(permits)

    def release() -> None:
        together.wait(BOUND_S)
        permit.release()

    for done in [in_background(release) for _ in range(4)]:
        done.result(BOUND_S)
    assert permits.held == len(kept)


def test_a_permit_is_given_back_when_its_block_fails():
    permits = Permits(1)
    with pytest.raises(ValueError, match="body"), taken(permits):
        raise ValueError("body")
    assert permits.held == 0


def test_who_asked_first_gets_the_first():
    permits = Permits(1)
    held = taken(permits)
    waiters = []
    for place in range(1, 5):
        waiters.append(in_background(lambda: permits.acquire(BOUND_S)))
        until(lambda place=place: permits.waiting == place)
    for served, waiter in enumerate(waiters):
        assert not any(later.done() for later in waiters[served:])
        held.release()
        permit = waiter.result(BOUND_S)
        assert permit is not None
        held = permit


def test_several_that_are_given_back_at_once_serve_as_many_waiters():
    permits = Permits(3)
    held = [taken(permits) for _ in range(3)]
    waiters = [in_background(lambda: permits.acquire(BOUND_S)) for _ in range(3)]
    until(lambda: permits.waiting == 3)
    for permit in held:
        permit.release()
    assert all(waiter.result(BOUND_S / 5) for waiter in waiters)
    assert permits.held == 3


def test_a_free_one_is_not_taken_from_who_is_before_in_line():
    permits = Permits(1)
    permits._line.push(None, Permit(permits))  # One that has not asked itself yet.
    assert permits.acquire() is None


def test_one_that_is_free_beside_those_for_the_line_is_handed_out():
    permits = Permits(2)
    permits._line.push(None, Permit(permits))
    assert permits.acquire() is not None
    assert permits.acquire() is None


def test_one_client_cannot_hold_them_all():
    permits = Permits(4)
    held = [permits.acquire(client="much") for _ in range(3)]
    assert permits.acquire(client="much") is None
    waiter = in_background(lambda: permits.acquire(BOUND_S, "much"))
    until(lambda: permits.waiting == 1)
    little = permits.acquire(client="little")
    assert little is not None
    little.release()
    assert (permits.held, permits.waiting) == (3, 1)
    assert held[0] is not None
    held[0].release()
    assert waiter.result(BOUND_S) is not None


def test_clients_take_turns_for_them():
    permits = Permits(1)
    held = taken(permits)
    waiters = []
    for number, client in enumerate(["much", "much", "little"], 1):
        waiters.append(in_background(lambda client=client: permits.acquire(BOUND_S, client)))
        until(lambda number=number: permits.waiting == number)
    for waiter in waiters[0], waiters[2], waiters[1]:
        held.release()
        permit = waiter.result(BOUND_S)
        assert permit is not None
        held = permit


def test_who_gives_up_gets_none_and_makes_room_for_those_behind():
    permits = Permits(2)
    kept, held = taken(permits), taken(permits)
    short = in_background(lambda: permits.acquire(0.2))
    until(lambda: permits.waiting == 1 or short.done())
    long = in_background(lambda: permits.acquire(BOUND_S))
    assert short.result(BOUND_S) is None
    assert permits.held == 2
    until(lambda: permits.waiting == 1)
    held.release()
    assert long.result(BOUND_S / 5) is not None
    kept.release()
    assert permits.held == 1


def test_one_waits_as_long_as_is_said():
    permits = Permits(0)
    started = time.monotonic()
    assert permits.acquire(0.1) is None
    assert 0.1 <= time.monotonic() - started < BOUND_S
