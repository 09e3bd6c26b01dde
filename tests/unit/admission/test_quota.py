"""Quota per client: never everything, and less the more others hold."""

import pytest

from dctnet.admission.quota import DynamicThreshold


def fill(quota: DynamicThreshold, client: str | None, capacity: int) -> int:
    """Acquire up to a client's quota; return the number."""
    acquired = 0
    while quota.allow(client, capacity):
        quota.acquire(client)
        acquired += 1
    return acquired


@pytest.mark.parametrize(("capacity", "most"), [(0, 0), (1, 1), (3, 3), (4, 3), (66, 50), (68, 51)])
def test_single_client_may_hold_three_quarters(capacity, most):
    assert fill(DynamicThreshold(), "one", capacity) == most


def test_unidentified_clients_have_no_quota():
    assert fill(DynamicThreshold(), None, 64) == 64


def test_quota_leaves_room_for_the_next_client():
    quota = DynamicThreshold()
    acquired = [fill(quota, f"client {number}", 64) for number in range(4)]
    assert acquired == [48, 12, 3, 1]
    assert quota.in_use == 64


def test_released_capacity_goes_to_the_smaller_holder():
    quota = DynamicThreshold()
    assert fill(quota, "much", 64) + fill(quota, "less", 64) == 60
    for _ in range(3):
        quota.release("much")
        assert not quota.allow("much", 64)
        assert quota.allow("less", 64)
        quota.acquire("less")


def test_client_without_holdings_is_forgotten():
    quota = DynamicThreshold()
    quota.acquire("one")
    quota.release("one")
    assert (quota.in_use, quota._in_use_by) == (0, {})


def test_amounts_count_like_as_many_units():
    quota = DynamicThreshold()
    assert quota.allow("one", 64, 64)  # A single body, even if it takes everything.
    quota.acquire("one", 40)
    assert quota.allow("one", 64, 8)
    assert not quota.allow("one", 64, 9)
    assert quota.allow("other", 64, 24)
    assert not quota.allow("other", 64, 25)
    assert quota.allow(None, 64, 24)
    assert not quota.allow(None, 64, 25)
    quota.release("one", 40)
    assert (quota.in_use, quota._in_use_by) == (0, {})
