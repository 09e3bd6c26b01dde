"""State machine: only the documented transitions are possible."""

import itertools

import pytest

from dctnet.lifecycle.state import Lifecycle, State

WAYS = {
    (State.STARTING, State.READY),
    (State.STARTING, State.FAILED),
    (State.STARTING, State.DRAINING),
    (State.READY, State.STUCK),
    (State.READY, State.DRAINING),
    (State.STUCK, State.READY),
    (State.STUCK, State.DRAINING),
    (State.DRAINING, State.STOPPED),
}
TO_REACH = {
    State.STARTING: [],
    State.READY: [State.READY],
    State.STUCK: [State.READY, State.STUCK],
    State.DRAINING: [State.DRAINING],
    State.STOPPED: [State.DRAINING, State.STOPPED],
    State.FAILED: [State.FAILED],
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_invalid_transition_keeps_the_state(before, after):
    lifecycle = Lifecycle()
    for state in TO_REACH[before]:
        assert lifecycle.transition_to(state)
    assert lifecycle.transition_to(after) == ((before, after) in WAYS)
    assert lifecycle.state is (after if (before, after) in WAYS else before)


def test_was_ready_is_permanent():
    never, once = Lifecycle(), Lifecycle()
    never.transition_to(State.DRAINING)
    assert not never.was_ready
    assert not once.was_ready
    for state in State.READY, State.STUCK, State.DRAINING, State.STOPPED:
        once.transition_to(state)
        assert once.was_ready


def test_draining_seconds_count_from_the_start_of_the_drain():
    now = 100.0
    lifecycle = Lifecycle(lambda: now)
    assert lifecycle.draining_seconds() == 0
    lifecycle.transition_to(State.DRAINING)
    now = 103.5
    assert lifecycle.draining_seconds() == 3.5
