"""Service-time estimate: baseline, moving average, decay, bounds."""

from math import exp, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.admission.service_time import DECAY_TIME_S, MAX_STEP, WEIGHT, ServiceTimeEstimator
from tests.support.admission import Clock
from tests.support.hypothesis_profiles import examples

MAX_SECONDS = 30.0


@pytest.fixture
def pace(clock: Clock) -> ServiceTimeEstimator:
    """One whose baseline is a second per unit of cost."""
    pace = ServiceTimeEstimator(MAX_SECONDS, clock)
    pace.calibrate(cost=10, seconds=10)
    return pace


def test_prediction_is_zero_before_calibration():
    pace = ServiceTimeEstimator()
    pace.observe(cost=1, seconds=5)
    assert pace.seconds(1_000_000) == pace.idle_seconds(1_000_000) == 0


def test_prediction_is_proportional_to_cost(pace):
    assert pace.seconds(0) == 0
    assert pace.seconds(2) == pytest.approx(2)
    assert pace.seconds(8) == pytest.approx(8)


@pytest.mark.parametrize(
    ("slots", "baseline"), [([3], 3), ([5, 3], 3), ([0.1, 100, 3], 3), ([4, 0.1, 100, 3], 3)]
)
def test_baseline_is_the_median_of_the_slots(slots, baseline):
    pace = ServiceTimeEstimator()
    for seconds in slots:
        pace.calibrate(cost=1, seconds=seconds)
    assert pace.seconds(1) == baseline


@pytest.mark.parametrize("seconds", [-1, inf, -inf, nan])
def test_invalid_durations_are_ignored(pace, seconds):
    pace.calibrate(cost=1, seconds=seconds)
    pace.observe(cost=1, seconds=seconds)
    assert pace.seconds(1) == pace.idle_seconds(1) == 1


def test_measurement_moves_the_prediction_by_its_weight(pace):
    pace.observe(cost=10, seconds=20)
    assert pace.seconds(1) == pytest.approx(1 + WEIGHT)
    pace.observe(cost=10, seconds=0)
    assert pace.seconds(1) == pytest.approx((1 + WEIGHT) * (1 - WEIGHT))


def test_slow_measurement_is_capped(pace):
    pace.observe(cost=1, seconds=MAX_STEP)
    at_the_limit = pace.seconds(1)
    assert at_the_limit == pytest.approx(1 + WEIGHT * (MAX_STEP - 1))
    other = ServiceTimeEstimator(MAX_SECONDS, Clock())
    other.calibrate(cost=1, seconds=1)
    other.observe(cost=1, seconds=MAX_STEP + 1)
    assert other.seconds(1) == at_the_limit


def test_estimate_follows_cpu_speed_within_ten_images(pace):
    for _ in range(10):
        pace.observe(cost=1, seconds=10)
    assert 8 < pace.seconds(1) < 10
    for _ in range(10):
        pace.observe(cost=1, seconds=10)
    for _ in range(10):
        pace.observe(cost=1, seconds=1)
    assert 1 < pace.seconds(1) < 2


def test_estimate_decays_towards_the_baseline(clock):
    for seconds, sign in ((3, 1), (0, -1)):
        pace = ServiceTimeEstimator(MAX_SECONDS, clock)
        pace.calibrate(cost=1, seconds=1)
        pace.observe(cost=1, seconds=seconds)
        distance = pace.seconds(1) - 1
        assert distance * sign > 0
        clock.turn(DECAY_TIME_S)
        assert pace.seconds(1) - 1 == pytest.approx(distance * exp(-1))
        clock.turn(20 * DECAY_TIME_S)
        assert pace.seconds(1) == pytest.approx(1)


def test_consecutive_long_jobs_are_predicted_in_full(clock, pace):
    """The time that they take is no time without a measurement."""
    for _ in range(30):
        clock.turn(20)
        pace.observe(cost=10, seconds=20)
    assert pace.seconds(10) == pytest.approx(20, rel=0.01)


def test_prediction_is_bounded_by_the_watchdog_timeout(pace):
    assert pace.seconds(MAX_SECONDS) == MAX_SECONDS
    assert pace.seconds(MAX_SECONDS + 1) == pace.idle_seconds(MAX_SECONDS + 1) == MAX_SECONDS


def test_idle_seconds_is_the_lower_of_baseline_and_estimate(pace):
    pace.observe(cost=1, seconds=3)
    assert pace.idle_seconds(1) == 1 < pace.seconds(1)
    for _ in range(9):
        pace.observe(cost=1, seconds=0)
    assert pace.idle_seconds(1) == pace.seconds(1) < 1


TIMES = st.one_of(
    st.sampled_from([0.0, 1e-9, MAX_SECONDS, 40.0, 1e12, inf, nan, -1.0]),
    st.floats(0, 100),
)
COSTS = st.one_of(st.just(65536.0), st.floats(1, 1e8))
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("observe"), COSTS, TIMES),
        st.tuples(st.just("turn"), st.floats(0, 1000), st.none()),
    ),
    max_size=40,
)


@examples(500)
@given(warm_up=st.tuples(COSTS, st.floats(0, 100)), events=EVENTS, cost=COSTS)
def test_estimate_is_bounded_and_decays_after_any_measurements(warm_up, events, cost):
    clock = Clock()
    pace = ServiceTimeEstimator(MAX_SECONDS, clock)
    pace.calibrate(*warm_up)
    baseline = pace.seconds(cost)
    for name, first, second in events:
        {"observe": pace.observe, "turn": lambda seconds, _: clock.turn(seconds)}[name](
            first, second
        )
        assert 0 <= pace.idle_seconds(cost) <= pace.seconds(cost) <= MAX_SECONDS
        assert pace.idle_seconds(cost) <= baseline
    last = abs(pace.seconds(cost) - baseline)
    for _ in range(20):
        clock.turn(DECAY_TIME_S)
        distance = abs(pace.seconds(cost) - baseline)
        assert distance <= last + 1e-9 * baseline
        last = distance
    clock.turn(100 * DECAY_TIME_S)
    assert pace.seconds(cost) == pytest.approx(baseline)
