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
def estimator(clock: Clock) -> ServiceTimeEstimator:
    """An estimator whose baseline is one second per unit of cost."""
    estimator = ServiceTimeEstimator(MAX_SECONDS, clock)
    estimator.calibrate(cost=10, seconds=10)
    return estimator


def test_prediction_is_zero_before_calibration():
    estimator = ServiceTimeEstimator()
    estimator.observe(cost=1, seconds=5)
    assert estimator.seconds(1_000_000) == estimator.idle_seconds(1_000_000) == 0


def test_prediction_is_proportional_to_cost(estimator):
    assert estimator.seconds(0) == 0
    assert estimator.seconds(2) == pytest.approx(2)
    assert estimator.seconds(8) == pytest.approx(8)


@pytest.mark.parametrize(
    ("slots", "baseline"), [([3], 3), ([5, 3], 3), ([0.1, 100, 3], 3), ([4, 0.1, 100, 3], 3)]
)
def test_baseline_is_the_median_of_the_slots(slots, baseline):
    estimator = ServiceTimeEstimator()
    for seconds in slots:
        estimator.calibrate(cost=1, seconds=seconds)
    assert estimator.seconds(1) == baseline


@pytest.mark.parametrize("seconds", [-1, inf, -inf, nan])
def test_invalid_durations_are_ignored(estimator, seconds):
    estimator.calibrate(cost=1, seconds=seconds)
    estimator.observe(cost=1, seconds=seconds)
    assert estimator.seconds(1) == estimator.idle_seconds(1) == 1


def test_measurement_moves_the_prediction_by_its_weight(estimator):
    estimator.observe(cost=10, seconds=20)
    assert estimator.seconds(1) == pytest.approx(1 + WEIGHT)
    estimator.observe(cost=10, seconds=0)
    assert estimator.seconds(1) == pytest.approx((1 + WEIGHT) * (1 - WEIGHT))


def test_slow_measurement_is_capped(estimator):
    estimator.observe(cost=1, seconds=MAX_STEP)
    at_the_limit = estimator.seconds(1)
    assert at_the_limit == pytest.approx(1 + WEIGHT * (MAX_STEP - 1))
    other = ServiceTimeEstimator(MAX_SECONDS, Clock())
    other.calibrate(cost=1, seconds=1)
    other.observe(cost=1, seconds=MAX_STEP + 1)
    assert other.seconds(1) == at_the_limit


def test_estimate_follows_cpu_speed_within_ten_images(estimator):
    for _ in range(10):
        estimator.observe(cost=1, seconds=10)
    assert 8 < estimator.seconds(1) < 10
    for _ in range(10):
        estimator.observe(cost=1, seconds=10)
    for _ in range(10):
        estimator.observe(cost=1, seconds=1)
    assert 1 < estimator.seconds(1) < 2


def test_estimate_decays_towards_the_baseline(clock):
    for seconds, sign in ((3, 1), (0, -1)):
        estimator = ServiceTimeEstimator(MAX_SECONDS, clock)
        estimator.calibrate(cost=1, seconds=1)
        estimator.observe(cost=1, seconds=seconds)
        distance = estimator.seconds(1) - 1
        assert distance * sign > 0
        clock.turn(DECAY_TIME_S)
        assert estimator.seconds(1) - 1 == pytest.approx(distance * exp(-1))
        clock.turn(20 * DECAY_TIME_S)
        assert estimator.seconds(1) == pytest.approx(1)


def test_consecutive_long_jobs_are_predicted_in_full(clock, estimator):
    """Decay does not count the time that a job itself takes."""
    for _ in range(30):
        clock.turn(20)
        estimator.observe(cost=10, seconds=20)
    assert estimator.seconds(10) == pytest.approx(20, rel=0.01)


def test_prediction_is_bounded_by_the_watchdog_timeout(estimator):
    assert estimator.seconds(MAX_SECONDS) == MAX_SECONDS
    assert (
        estimator.seconds(MAX_SECONDS + 1) == estimator.idle_seconds(MAX_SECONDS + 1) == MAX_SECONDS
    )


def test_idle_seconds_is_the_lower_of_baseline_and_estimate(estimator):
    estimator.observe(cost=1, seconds=3)
    assert estimator.idle_seconds(1) == 1 < estimator.seconds(1)
    for _ in range(9):
        estimator.observe(cost=1, seconds=0)
    assert estimator.idle_seconds(1) == estimator.seconds(1) < 1


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
    estimator = ServiceTimeEstimator(MAX_SECONDS, clock)
    estimator.calibrate(*warm_up)
    baseline = estimator.seconds(cost)
    for name, first, second in events:
        {"observe": estimator.observe, "turn": lambda seconds, _: clock.turn(seconds)}[name](
            first, second
        )
        assert 0 <= estimator.idle_seconds(cost) <= estimator.seconds(cost) <= MAX_SECONDS
        assert estimator.idle_seconds(cost) <= baseline
    last = abs(estimator.seconds(cost) - baseline)
    for _ in range(20):
        clock.turn(DECAY_TIME_S)
        distance = abs(estimator.seconds(cost) - baseline)
        assert distance <= last + 1e-9 * baseline
        last = distance
    clock.turn(100 * DECAY_TIME_S)
    assert estimator.seconds(cost) == pytest.approx(baseline)
