"""``dctnet capacity``: plan replicas, queue and autoscaling for a rate."""

import argparse
import logging
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from dctnet.cartoon_options import parse_size
from dctnet.cli.arguments import argument_type
from dctnet.config import Settings, SettingsError

if TYPE_CHECKING:
    from dctnet.capacity.plan import Plan
    from dctnet.capacity.simulation import Outcome, ReplicaModel

logger = logging.getLogger(__name__)

SIDES = (512, 1024, 2048)
MAX_SIDES = 8

MAX_RATE = 1000.0
MIN_WITHIN_S, MAX_WITHIN_S = 0.1, 900.0
"""Bounds of `--within`: the request timeout is four times as long, at most an hour."""

NOISE = 0.2
"""Relative spread of measurements above which the plan is not to be trusted."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "capacity",
        help="plan replicas, queue and autoscaling for a rate",
        description="Measure the service time of a known portrait on this machine, simulate the "
        "queue, and print values for the chart. Run it on a node like those of the replicas, while "
        "nothing else runs.",
    )
    parser.add_argument(
        "--rate",
        type=argument_type(_rate),
        required=True,
        metavar="R",
        help="images per second at peak",
    )
    parser.add_argument(
        "--within",
        type=argument_type(_within),
        required=True,
        metavar="S",
        help="seconds within which 95 %% of the accepted requests must be complete",
    )
    parser.add_argument(
        "--replica-cpu",
        type=argument_type(_cpus),
        metavar="N",
        help="CPU limit of a replica; default: the CPUs of this machine",
    )
    parser.add_argument(
        "--sizes",
        type=argument_type(_sides),
        default=SIDES,
        metavar="A,B,C",
        help="sides of the square images, in pixels, equally frequent; default: "
        + ",".join(map(str, SIDES)),
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the simulation; default: 0"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Measure, plan and print values as YAML; return 1 if there is no plan."""
    from dctnet.capacity.measurement import limit_cpus, measure
    from dctnet.capacity.plan import Infeasible, make_plan

    cpus = args.replica_cpu or settings.cpus
    if cpus > settings.cpus:
        raise SettingsError(
            f"--replica-cpu is {cpus:g}, but this machine has {settings.cpus:g} CPUs: run it on a"
            " node like those of the replicas."
        )
    limit_cpus(cpus)
    settings = Settings.from_environment(
        os.environ | {"DCTNET_CPU_LIMIT_MILLICORES": str(round(1000 * cpus))}
    )
    model = measure(settings, args.sizes)
    try:
        plan = make_plan(
            model,
            args.rate,
            args.within,
            least_timeout=2 * settings.watchdog_timeout,
            seed=args.seed,
        )
    except Infeasible as error:
        logger.error("%s", error)
        return 1
    for line in _report(args, cpus, model, plan):
        print(f"# {line}".rstrip())
    for line in _values(settings, args.within, model, plan):
        print(line)
    return 0


def _report(
    args: argparse.Namespace, cpus: float, model: "ReplicaModel", plan: "Plan"
) -> Iterator[str]:
    """Yield the lines that explain the plan."""
    rate, peak = args.rate, plan.peak
    yield (
        f"{plan.replicas} {'replica' if plan.replicas == 1 else 'replicas'} of {cpus:g} CPUs for"
        f" {rate:g} images per second, 95 % of them within {args.within:g} s."
    )
    yield ""
    yield "image        alone      under load  spread"
    for size in model.sizes:
        seconds = f"{size.alone:.3f} s     {size.loaded:.3f} s"
        yield f"{size.name:<12} {seconds}     {_spread(size.ratios):.0%}"
    yield ""
    yield (
        f"A replica with {model.slots} {'slot' if model.slots == 1 else 'slots'} completes"
        f" {model.max_rate:.3g} images per second, and is planned for {plan.planned_rate:.3g}."
    )
    yield f"At {rate:g} per second: {_summary(peak)}."
    yield (
        f"At {2 * rate:g} per second, before autoscaling adds replicas: {_summary(plan.overload)}."
    )
    yield "Network and uploads are not included."
    if max(_spread(size.ratios) for size in model.sizes) > NOISE:
        yield ""
        yield "WARNING: the measurements vary. Something else uses the CPUs: repeat without it."
    yield ""


def _summary(outcome: "Outcome") -> str:
    reasons = ", ".join(
        f"{reason} {count / outcome.requests:.1%}"
        for reason, count in sorted(outcome.rejected.items())
        if count
    )
    return (
        f"p50 {outcome.percentile(0.5):.2g} s, p95 {outcome.percentile(0.95):.2g} s,"
        f" {outcome.rejected_share:.1%} rejected{f' ({reasons})' if reasons else ''},"
        f" {outcome.late_share:.1%} late"
    )


def _spread(ratios: Sequence[float]) -> float:
    """Return half the range without the outermost tenth at each end: robust against one stall."""
    ordered = sorted(ratios)
    cut = len(ordered) // 10
    return (ordered[-1 - cut] - ordered[cut]) / 2


def _values(
    settings: Settings, within: float, model: "ReplicaModel", plan: "Plan"
) -> Iterator[str]:
    """Yield the lines of the values."""
    from dctnet.metrics import SECONDS

    slots, threads, cpus = settings.slots, settings.threads, settings.cpus
    # As the chart has it: a limit of 1.5 CPUs has one slot, which uses one.
    busy = min(cpus, slots * threads if threads else max(slots, int(cpus)))

    # The chart's objective is measured by the histogram, so its bound is a bucket.
    bound = SECONDS[bisect_right(SECONDS, within) - 1]
    yield "resources:"
    yield "  limits:"
    yield f'    cpu: "{round(cpus, 3):g}"'
    if threads or slots != max(1, int(cpus)):
        yield "inference:"
        yield f"  slots: {slots}"
        yield f"  threads: {threads or 'auto'}"
    yield "admission:"
    yield f"  queueSize: {plan.queue_size}"
    yield f"  cpuSecondsPerImage: {model.seconds_per_image * busy / slots:.3g}"
    yield "timeouts:"
    yield f"  request: {plan.timeout:g}"
    yield "autoscaling:"
    yield "  enabled: true"
    yield f"  minReplicas: {plan.min_replicas}"
    yield f"  maxReplicas: {plan.max_replicas}"
    yield f"  targetCPUUtilizationPercentage: {max(1, round(100 * plan.utilization * busy / cpus))}"
    yield f"  targetLoadRatio: {max(0.1, plan.load_ratio):.2g}"
    yield "slo:"
    yield "  latency:"
    yield f"    bound: {bound:g}"


def _number(text: str, least: float, most: float, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (isfinite(value) and least <= value <= most):
        raise ValueError(f"{text!r} is not a number of {unit} from {least:g} to {most:g}")
    return value


def _rate(text: str) -> float:
    return _number(text, 0.001, MAX_RATE, "images per second")


def _within(text: str) -> float:
    return _number(text, MIN_WITHIN_S, MAX_WITHIN_S, "seconds")


def _cpus(text: str) -> float:
    return _number(text, 1, 256, "CPUs")


def _sides(text: str) -> tuple[int, ...]:
    sides = tuple(map(parse_size, text.split(",")))
    if len(sides) > MAX_SIDES:
        raise ValueError(f"{text!r} has more than {MAX_SIDES} sizes")
    return sides
