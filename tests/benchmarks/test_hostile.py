"""Mixed hostile load: lost requests, failed probes, retries and recovery."""

from itertools import pairwise

import pytest

from benchmarks.hostile import (
    AFTER_S,
    LONG_PAUSE_S,
    PAUSE_MARGIN_S,
    Pause,
    count_failed_probes,
    count_failures,
    count_retries,
    pause_schedule,
    recovery_s,
)
from benchmarks.legitimate_clients import OK, REJECTED, Attempt
from benchmarks.replica_monitor import Probe

LONG = Pause(100, 100 + LONG_PAUSE_S)
SHORT = Pause(300, 303)


def attempt(
    begin_s: float, end_s: float, outcome: str = OK, status: int = 200, client: int = 0
) -> Attempt:
    retry_after_s = 1 if outcome == REJECTED else None
    return Attempt(client, begin_s, begin_s, end_s, outcome, status, retry_after_s)


@pytest.mark.parametrize(("minutes", "number", "long"), [(30, 14, 1), (5, 2, 1), (1, 2, 0)])
def test_pause_schedule_fits_the_attack(minutes, number, long):
    pauses = list(pause_schedule(60 * minutes))
    assert len(pauses) == number
    assert [length for _, length in pauses].count(LONG_PAUSE_S) == long
    for (offset, length), (following, _) in pairwise([*pauses, (60 * minutes, 0)]):
        assert offset + length < following


def test_deadlines_in_the_long_pause_are_excused():
    lost, excused = count_failures(
        [
            attempt(90, 141, "status 504", 504),
            attempt(90, 141, "status 500", 500),
            attempt(90, 141, "reset: ", 0),
            attempt(150, 210, "status 504", 504),
            attempt(250, 310, "status 504", 504),
            attempt(90, 141),
            attempt(90, 141, REJECTED, 429),
        ],
        [LONG, SHORT],
    )
    assert lost == {"status 500": 1, "reset: ": 1, "status 504": 2}
    assert excused == 1


def test_rejected_retries_are_not_admitted():
    attempts = [
        attempt(0, 1, REJECTED, 429),
        attempt(0, 9, OK, client=1),
        attempt(2, 3, REJECTED, 429),
        attempt(4, 5),
        attempt(6, 7, REJECTED, 429),
    ]
    assert count_retries(attempts) == (2, 1)


def test_failed_probes_in_pauses_are_counted_separately():
    after_s = SHORT.end_s + PAUSE_MARGIN_S
    probes = [
        Probe("/livez", 299, 304, None),
        Probe("/livez", after_s, after_s + 1, 503),
        Probe("/livez", after_s + 1, after_s + 2, 503),
        Probe("/livez", 10, 11, 200),
        Probe("/readyz", 10, 11, 503),
    ]
    assert count_failed_probes(probes, "/livez", [SHORT]) == (2, 1)


def test_recovery_is_the_first_window_with_full_throughput():
    assert recovery_s(lambda begin, end: 9 if begin >= 1004 else 2, 1000, 9) == 4
    assert recovery_s(lambda begin, end: 9 * (end <= 1000 + AFTER_S), 1000, 9.1) == float("inf")
