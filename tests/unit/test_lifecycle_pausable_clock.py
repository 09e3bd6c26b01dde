"""Clock that stops while the process is paused."""

from functools import partial
from threading import enumerate as all_threads

import pytest

from dctnet.lifecycle import pausable_clock
from dctnet.lifecycle.pausable_clock import MAX_GAP_S, PausableClock
from tests.support.admission import Clock
from tests.support.polling import until


@pytest.fixture
def real() -> Clock:
    return Clock(1000.0)


def test_clock_starts_at_zero_and_follows_real_time(real):
    clock = PausableClock(real)
    assert clock() == 0
    for read in range(1, 50):
        real.turn(MAX_GAP_S)
        assert clock() == pytest.approx(read * MAX_GAP_S)


def test_gap_beyond_the_limit_counts_as_the_limit(real):
    clock = PausableClock(real)
    real.turn(MAX_GAP_S)
    assert clock() == MAX_GAP_S
    real.turn(MAX_GAP_S + 0.001)
    assert clock() == 2 * MAX_GAP_S


def test_pause_counts_as_one_gap(real):
    clock = PausableClock(real)
    real.turn(1e6)
    assert clock() == clock() == MAX_GAP_S


def test_clock_ticks_until_stopped(real, monkeypatch):
    monkeypatch.setattr(pausable_clock, "TICK_S", 0.001)
    clock = PausableClock(real)
    clock.start()
    for _ in range(3):
        expected = clock._now + MAX_GAP_S
        real.turn(MAX_GAP_S)
        until(partial(_reads, clock, expected))
    clock.stop()
    until(lambda: all(thread.name != "pausable-clock" for thread in all_threads()))


def _reads(clock: PausableClock, expected: float) -> bool:
    """Whether the clock has ticked."""
    return clock._now == expected
