"""How much one client may hold: never all, and less the more others hold."""

import pytest

from dctnet.admission.quota import DynamicThreshold


def fill(shares: DynamicThreshold, client: str | None, capacity: int) -> int:
    """Take as much as a client may; return how much that is."""
    taken = 0
    while shares.allow(client, capacity):
        shares.take(client)
        taken += 1
    return taken


@pytest.mark.parametrize(("capacity", "most"), [(0, 0), (1, 1), (3, 3), (4, 3), (66, 50), (68, 51)])
def test_who_is_alone_may_hold_three_quarters(capacity, most):
    assert fill(DynamicThreshold(), "one", capacity) == most


def test_who_is_not_told_apart_may_hold_all():
    assert fill(DynamicThreshold(), None, 64) == 64


def test_there_is_some_left_for_the_next_however_much_the_others_take():
    shares = DynamicThreshold()
    taken = [fill(shares, f"client {number}", 64) for number in range(4)]
    assert taken == [48, 12, 3, 1]
    assert shares.held == 64


def test_what_comes_back_goes_to_who_has_less():
    shares = DynamicThreshold()
    assert fill(shares, "much", 64) + fill(shares, "less", 64) == 60
    for _ in range(3):
        shares.give_back("much")
        assert not shares.allow("much", 64)
        assert shares.allow("less", 64)
        shares.take("less")


def test_who_gave_back_all_is_not_remembered():
    shares = DynamicThreshold()
    shares.take("one")
    shares.give_back("one")
    assert (shares.held, shares._held_by) == (0, {})
