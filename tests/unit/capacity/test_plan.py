"""Capacity plan for a rate and a latency bound."""

import pytest

from dctnet.capacity.plan import (
    MAX_QUEUE_SIZE,
    MAX_REJECTED,
    MAX_REPLICAS,
    MAX_UTILIZATION,
    Infeasible,
    make_plan,
)
from dctnet.capacity.simulation import ImageSize, ReplicaModel, simulate


def model(slots: int = 2, seconds: float = 0.5) -> ReplicaModel:
    size = ImageSize(
        name="512x512", cost=1.0, alone=seconds * 0.6, loaded=seconds, ratios=[0.9, 1.0, 1.1]
    )
    return ReplicaModel(slots=slots, sizes=[size], calibrations=[(1.0, seconds)])


def test_plan_meets_the_objective_at_peak_and_bounds_waits_in_overload():
    plan = make_plan(model(), 10, 5)  # A replica completes 4 per second, and is planned for 2.8.
    assert plan.planned_rate == pytest.approx(MAX_UTILIZATION * 4)
    assert (plan.replicas, plan.min_replicas, plan.max_replicas) == (4, 2, 8)
    assert plan.utilization == pytest.approx(MAX_UTILIZATION)
    assert plan.timeout == 20
    assert plan.peak.percentile(0.95) <= 5
    assert plan.peak.rejected_share <= MAX_REJECTED
    assert plan.overload.percentile(0.95) <= 5
    # 5 arrive per second at each replica, of which 4 are completed.
    assert plan.overload.rejected_share == pytest.approx(0.2, abs=0.05)
    assert 0.7 < plan.load_ratio < 1.5


def test_queue_size_is_the_longest_that_is_completed_within_the_bound():
    plan = make_plan(model(), 1, 5)

    def slowest(queue_size: int) -> float:
        return simulate(model(), 8, queue_size=queue_size, timeout=20).percentile(0.95)

    assert slowest(plan.queue_size) <= 5 < slowest(plan.queue_size + 3)
    assert 5 * 4 - 5 <= plan.queue_size <= 5 * 4


def test_one_replica_needs_two_for_rollouts():
    plan = make_plan(model(), 0.1, 2)
    assert (plan.replicas, plan.min_replicas, plan.max_replicas) == (1, 2, 2)


def test_tight_bound_lowers_the_planned_rate():
    loose, tight = make_plan(model(), 10, 2), make_plan(model(), 10, 0.7)
    assert tight.planned_rate < loose.planned_rate
    assert tight.replicas > loose.replicas
    assert tight.peak.percentile(0.95) <= 0.7


def test_request_timeout_is_four_bounds_and_at_least_the_least():
    assert make_plan(model(), 1, 2, least_timeout=8).timeout == 8
    assert make_plan(model(), 1, 2.1, least_timeout=8).timeout == 9


def test_queue_size_is_bounded():
    fast = model(slots=8, seconds=0.05)
    assert make_plan(fast, 1, 15).queue_size == MAX_QUEUE_SIZE


def test_plan_depends_on_nothing_but_its_seed():
    assert make_plan(model(), 10, 1, seed=3) == make_plan(model(), 10, 1, seed=3)


def test_image_slower_than_the_bound_is_infeasible():
    make_plan(model(seconds=0.5), 1, 0.9)
    with pytest.raises(Infeasible, match=r"512x512 takes 0\.5 s, and the bound is 0\.5 s"):
        make_plan(model(seconds=0.5), 1, 0.5)


def test_bound_that_no_rate_meets_is_infeasible():
    wide = [0.5, 1.0, 1.0, 9.0]
    size = ImageSize(name="512x512", cost=1.0, alone=0.5, loaded=0.5, ratios=wide)
    replica = ReplicaModel(slots=1, sizes=[size], calibrations=[(1.0, 0.5)])
    with pytest.raises(Infeasible, match="allow more time"):
        make_plan(replica, 1, 1)


def test_more_replicas_than_the_chart_allows_are_infeasible():
    rate = MAX_REPLICAS * MAX_UTILIZATION * 4 / 2
    assert make_plan(model(), rate * 0.9999, 2).max_replicas == MAX_REPLICAS
    with pytest.raises(Infeasible, match="1001 replicas"):
        make_plan(model(), rate * 1.0009, 2)
