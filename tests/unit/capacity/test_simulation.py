"""Queue simulation, compared with closed forms of queueing theory."""

from dataclasses import replace
from math import factorial, inf, log
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.admission import RejectionReason
from dctnet.capacity.simulation import WARM_UP_SHARE, ImageSize, Outcome, ReplicaModel, simulate
from tests.support.hypothesis_profiles import examples

ARRIVALS = 12_000
TOLERANCE = 0.1
"""Relative error of a mean: the arrivals are correlated, so it is that of a few hundred
independent ones."""

NEVER = 1e9
MANY = 4096


def quantiles(number: int = 1000) -> list[float]:
    """Return an exponential distribution with the mean 1, as measurements."""
    values = [-log(1 - (i + 0.5) / number) for i in range(number)]
    return [value / mean(values) for value in values]


EXPONENTIAL = quantiles()


def model(
    slots: int = 1, ratios: list[float] | None = None, alone: float = 1.0, loaded: float = 1.0
) -> ReplicaModel:
    size = ImageSize(name="x", cost=1.0, alone=alone, loaded=loaded, ratios=ratios or [1.0])
    return ReplicaModel(slots=slots, sizes=[size], calibrations=[(1.0, loaded)])


def run(replica: ReplicaModel, rate: float, queue_size: int = MANY) -> Outcome:
    return simulate(replica, rate, queue_size=queue_size, timeout=NEVER, arrivals=ARRIVALS)


def birth_death(rate: float, completions: list[float], states: int) -> list[float]:
    """Return the stationary distribution of the number of requests in a queue with Poisson
    arrivals and exponential work, given the completions per second of 1, 2, ... running."""
    weights = [1.0]
    for n in range(1, states):
        weights.append(weights[-1] * rate / completions[min(n, len(completions)) - 1])
    return [weight / sum(weights) for weight in weights]


def expected(distribution: list[float]) -> float:
    return sum(n * share for n, share in enumerate(distribution))


@pytest.mark.parametrize("rho", [0.3, 0.5, 0.7])
def test_constant_service_times_wait_as_in_md1(rho):
    outcome = run(model(), rho)
    assert mean(outcome.waits) == pytest.approx(rho / (2 * (1 - rho)), rel=TOLERANCE)
    assert outcome.mean_load_ratio == pytest.approx(rho + rho**2 / (2 * (1 - rho)), rel=TOLERANCE)


@pytest.mark.parametrize(("slots", "rho"), [(1, 0.6), (2, 0.7), (4, 0.8)])
def test_exponential_service_times_wait_as_in_mmc(slots, rho):
    offered = slots * rho
    # Erlang's C formula: the share of requests that wait.
    all_busy = offered**slots / factorial(slots) / (1 - rho)
    waiting = all_busy / (sum(offered**n / factorial(n) for n in range(slots)) + all_busy)
    outcome = run(model(slots, EXPONENTIAL), offered)
    assert mean(wait > 0 for wait in outcome.waits) == pytest.approx(waiting, rel=TOLERANCE)
    latency = 1 + waiting / (slots * (1 - rho))
    assert mean(outcome.latencies) == pytest.approx(latency, rel=TOLERANCE)
    assert outcome.requests == len(outcome.latencies)


@pytest.mark.parametrize(("slots", "queue", "rho"), [(1, 4, 1.2), (2, 3, 0.9), (3, 1, 2.0)])
def test_full_queue_rejects_as_in_mmck(slots, queue, rho):
    rate = slots * rho
    completions = [float(n) for n in range(1, slots + 1)]
    blocked = birth_death(rate, completions, slots + queue + 1)[-1]
    outcome = run(model(slots, EXPONENTIAL), rate, queue)
    assert outcome.rejected_share == pytest.approx(blocked, rel=TOLERANCE)
    assert set(outcome.rejected) == {RejectionReason.QUEUE_FULL}


def test_lone_image_uses_all_threads():
    """Two slots that complete 1.25 images per second alone, and 2 together."""
    rate = 1.4
    outcome = run(model(2, EXPONENTIAL, alone=0.8, loaded=1.0), rate)
    in_system = expected(birth_death(rate, [1.25, 2.0], 500))
    assert mean(outcome.latencies) == pytest.approx(in_system / rate, rel=TOLERANCE)
    assert outcome.mean_load_ratio == pytest.approx(in_system / 2, rel=TOLERANCE)


def test_throughput_between_one_and_all_slots_is_interpolated():
    replica = model(4, alone=0.5, loaded=1.0)
    size = replica.sizes[0]
    times = [replica.service_time(size, running) for running in (1, 2, 3, 4)]
    assert times == pytest.approx([1 / 2, 2 / (8 / 3), 3 / (10 / 3), 1])
    assert (replica.seconds_per_image, replica.max_rate) == (1.0, 4.0)


def test_deadline_rejects_what_would_be_late():
    """Constant service times are predicted exactly: what is accepted is in time."""
    timeout = 10.5
    outcome = simulate(model(), 2.0, queue_size=MANY, timeout=timeout)
    assert outcome.late == 0
    assert timeout - 1.5 < max(outcome.latencies) < timeout
    assert set(outcome.rejected) == {RejectionReason.DEADLINE}
    assert outcome.rejected_share == pytest.approx(0.5, rel=TOLERANCE)  # Every second is served.


def test_service_times_that_are_mispredicted_make_requests_late():
    slower = replace(model(), calibrations=[(1.0, 0.01)])
    outcome = simulate(slower, 5.0, queue_size=MANY, timeout=3.5, arrivals=2000)
    assert outcome.late > 0
    assert max(outcome.latencies) < 3.5


@st.composite
def models(draw: st.DrawFn) -> ReplicaModel:
    sizes = [
        ImageSize(
            name=str(number),
            cost=draw(st.floats(0.1, 10)),
            alone=draw(st.floats(0.05, 1)),
            loaded=draw(st.floats(0.05, 2)),
            ratios=draw(st.lists(st.floats(0.5, 2), min_size=1, max_size=4)),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    calibration = (1.0, draw(st.floats(0.05, 2)))
    return ReplicaModel(slots=draw(st.integers(1, 4)), sizes=sizes, calibrations=[calibration])


@examples(60)
@given(
    replica=models(),
    load=st.floats(0.1, 4),
    queue=st.integers(1, 20),
    timeout=st.floats(0.5, 20),
    seed=st.integers(0, 1000),
)
def test_each_counted_request_has_one_outcome(replica, load, queue, timeout, seed):
    rate, arrivals = load * replica.max_rate, 100
    outcomes = [
        simulate(replica, rate, queue_size=queue, timeout=timeout, arrivals=arrivals, seed=seed)
        for _ in range(2)
    ]
    assert outcomes[0] == outcomes[1]
    outcome = outcomes[0]
    assert outcome.requests == arrivals * (1 - WARM_UP_SHARE)
    fastest = min(
        replica.service_time(size, running) * min(size.ratios)
        for size in replica.sizes
        for running in range(1, replica.slots + 1)
    )
    for latency, wait in zip(outcome.latencies, outcome.waits, strict=True):
        assert 0 <= wait <= latency - fastest * (1 - 1e-9)
        assert latency < timeout
    assert 0 <= outcome.mean_load_ratio <= (replica.slots + queue) / replica.slots


def test_percentile_is_the_least_latency_that_covers_the_share():
    outcome = Outcome(latencies=[4.0, 1.0, 3.0, 2.0])
    assert [outcome.percentile(share) for share in (0.25, 0.5, 0.51, 1)] == [1, 2, 3, 4]
    assert Outcome().percentile(0.95) == inf
