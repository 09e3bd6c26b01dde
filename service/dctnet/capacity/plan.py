"""Capacity plan: replicas, queue size, request timeout and autoscaling for a rate."""

from dataclasses import dataclass
from math import ceil

from dctnet.capacity.simulation import Outcome, ReplicaModel, simulate

PERCENTILE = 0.95
"""Share of accepted requests that must be complete within the bound."""

MAX_REJECTED = 0.01
MAX_LATE = 0.001
"""Most shares of requests that may be rejected or be late: the chart's objectives."""

MAX_UTILIZATION = 0.7
"""Most of a replica's throughput that is planned for: nodes are slower than the one measured, and
autoscaling takes a minute."""

OVERLOAD = 2
"""Rate, relative to what is planned, at which the plan says what is rejected."""

TIMEOUT_PER_BOUND = 4
"""Request timeout relative to the bound, as the chart derives `slo.latency.bound` in reverse."""

MAX_QUEUE_SIZE = 512
"""Longest queue of a plan: a simulation of longer ones takes minutes."""

MAX_REPLICAS = 1000
MAX_TIMEOUT_S = 3600

_STEPS = 6
"""Bisections of the rate: to 2 % of a replica's throughput."""


class Infeasible(Exception):
    """No number of replicas reaches the objective; the message says why, and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings for a rate and a latency bound, with the simulations behind them."""

    planned_rate: float
    """Images per second for which one replica is planned."""
    replicas: int
    min_replicas: int
    max_replicas: int
    queue_size: int
    timeout: float
    """Request timeout, in seconds."""
    utilization: float
    """Share of a replica's throughput at the planned rate: the autoscaler's target for CPU."""
    load_ratio: float
    """Images running and queued per slot at the planned rate: the autoscaler's other target."""
    peak: Outcome
    """At the rate, on ``replicas``."""
    overload: Outcome
    """At ``OVERLOAD`` times the rate, on as many."""


def make_plan(
    model: ReplicaModel, rate: float, within: float, *, least_timeout: float = 0.0, seed: int = 0
) -> Plan:
    """Plan for ``rate`` images per second, of which 95 % must be complete ``within`` seconds.

    ``least_timeout`` is the shortest request timeout, in seconds. Raises Infeasible.
    """
    slowest = max(model.sizes, key=lambda size: size.loaded)
    if slowest.loaded >= within:
        raise Infeasible(
            f"An image of {slowest.name} takes {slowest.loaded:.2g} s, and the bound is"
            f" {within:g} s: give a replica more CPUs, or lower the working side."
        )
    timeout = min(MAX_TIMEOUT_S, ceil(max(TIMEOUT_PER_BOUND * within, least_timeout)))
    queue_size = _queue_size(model, within, timeout, seed)

    def run(rate: float) -> Outcome:
        return simulate(model, rate, queue_size=queue_size, timeout=timeout, seed=seed)

    def is_met(outcome: Outcome) -> bool:
        return (
            outcome.percentile(PERCENTILE) <= within
            and outcome.rejected_share <= MAX_REJECTED
            and outcome.late_share <= MAX_LATE
        )

    planned, unmet = MAX_UTILIZATION * model.max_rate, MAX_UTILIZATION * model.max_rate
    if not is_met(run(planned)):
        planned = 0.0
        for _ in range(_STEPS):
            middle = (planned + unmet) / 2
            planned, unmet = (middle, unmet) if is_met(run(middle)) else (planned, middle)
    if not planned:
        raise Infeasible(
            f"Not even {unmet:.2g} images per second are complete within {within:g} s: give a"
            " replica more CPUs, or allow more time."
        )

    def replicas(rate: float) -> int:
        return max(1, ceil(rate / planned))

    if replicas(OVERLOAD * rate) > MAX_REPLICAS:
        raise Infeasible(
            f"{OVERLOAD * rate:g} images per second need {replicas(OVERLOAD * rate)} replicas, and"
            f" a release has at most {MAX_REPLICAS}: give each more CPUs, or divide the load."
        )
    needed = replicas(rate)
    least = max(2, replicas(rate / 2))  # A rollout or a lost node interrupts no service of two.
    return Plan(
        planned_rate=planned,
        replicas=needed,
        min_replicas=least,
        max_replicas=max(least, replicas(OVERLOAD * rate)),
        queue_size=queue_size,
        timeout=timeout,
        utilization=planned / model.max_rate,
        load_ratio=run(planned).mean_load_ratio,
        peak=run(rate / needed),
        overload=run(OVERLOAD * rate / needed),
    )


def _queue_size(model: ReplicaModel, within: float, timeout: float, seed: int) -> int:
    """Return about the longest queue that an overloaded replica completes within the bound."""
    size = int((within - model.seconds_per_image) * model.max_rate) + 1
    size = max(1, min(size, MAX_QUEUE_SIZE))
    while size > 1:
        outcome = simulate(
            model, OVERLOAD * model.max_rate, queue_size=size, timeout=timeout, seed=seed
        )
        slow = outcome.percentile(PERCENTILE)
        if slow <= within:
            break
        size = max(1, min(size - 1, int(size * within / slow)))
    return size
