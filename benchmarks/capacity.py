"""Capacity benchmark: latencies that `dctnet capacity` predicts, and those of a real server.

    .venv/bin/python -m benchmarks.capacity [--duration S] [--timed S] [LOAD...]

For each load, in multiples of the capacity, the script measures service times, as the command does,
before and after it sends portraits to a new replica, in the order and at the times of the
simulation. It prints a Markdown table. "At the server's speed" is the same prediction with service
times scaled to the mean of the server's: what is left is the error of the queue model.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.host import describe_host
from dctnet.capacity.measurement import measure, portrait
from dctnet.capacity.plan import PERCENTILE, make_plan
from dctnet.capacity.plan import Plan as CapacityPlan
from dctnet.capacity.simulation import ImageSize, Outcome, ReplicaModel, replay
from dctnet.config import Settings
from dctnet.cost import MIN_COST
from dctnet.models.folder import GOLDEN_INPUT, SHIPPED_COMMON
from dctnet.models.self_test import read_image
from loadtest import client
from loadtest.client import OpenLoop, Plan, Report, SourceImage, generate_images
from tests.server.timed_server import SLOW
from tests.support.process import Server, serving

STYLE = "comic"
SIDES = (512, 1024, 2048)
LOADS = (0.7, 0.9, 1.5)
WITHIN_S = 5.0
"""Latency bound, by which the queue size is planned."""
DURATION_S = 90.0
TIMED_SLOTS = 2
TIMED_WITHIN = 25
"""Latency bound of inferences that wait, relative to their seconds."""
SEED = 1


@dataclass(frozen=True)
class Result:
    """A load, what was predicted for it and what a server did."""

    load: float
    rate: float
    predicted: Outcome
    at_server_speed: Outcome
    speed: float
    """Mean service time of the server relative to the measured one."""
    report: Report

    @property
    def measured_p95(self) -> float:
        """Latency within which 95 % of the cartoons arrived."""
        latency = self.report.latency_s["ok"]
        assert latency is not None
        return latency.p95

    @property
    def predicted_p95(self) -> float:
        """The same as predicted."""
        return self.predicted.percentile(PERCENTILE)

    def row(self) -> str:
        """Return a row of the table."""
        p95 = [self.predicted_p95, self.at_server_speed.percentile(PERCENTILE)]
        cells = [
            f"{self.load:.0%}",
            f"{self.rate:.2f}",
            str(self.report.sent),
            *(f"{seconds:.2f} ({seconds / self.measured_p95:.2f})" for seconds in p95),
            f"{self.measured_p95:.2f}",
            f"{self.predicted.rejected_share:.1%}",
            f"{self.at_server_speed.rejected_share:.1%}",
            f"{self.report.rejected / self.report.sent:.1%}",
            f"{self.speed:.2f}",
        ]
        return f"| {' | '.join(cells)} |"


HEADING = (
    "| load | images per second | requests | predicted p95, s (ratio to measured)"
    " | at the server's speed, s (ratio) | measured p95, s | predicted rejections"
    " | at the server's speed | measured rejections | server's service time, ratio |"
)


@dataclass(frozen=True)
class Trace:
    """Poisson arrivals of images in random sizes, for the server and for the simulation."""

    arrivals: OpenLoop
    sizes: Sequence[int]
    """Number of each image's size."""

    @classmethod
    def draw(cls, rate: float, duration_s: float, sizes: int) -> "Trace":
        """Draw a trace with this number of equally frequent sizes."""
        arrivals = OpenLoop(rate=rate, duration_s=duration_s, poisson=True, seed=SEED)
        chance = random.Random(SEED)  # noqa: S311 - Repeatable on purpose.
        return cls(arrivals, [chance.randrange(sizes) for _ in range(arrivals.count())])

    def send(self, server: Server, images: Sequence[SourceImage]) -> Report:
        """Send it to a server, with the image of each size."""
        plan = Plan(
            url=f"{server.url}/v1/cartoons",
            arrivals=self.arrivals,
            images=[images[size] for size in self.sizes],
            timeout_s=120,
        )
        return client.run(plan)

    def predict(self, model: ReplicaModel, plan: CapacityPlan) -> Outcome:
        """Simulate it."""
        due = zip(self.arrivals.offsets(), self.sizes, strict=True)
        return replay(
            model,
            [(time, model.sizes[size]) for time, size in due],
            queue_size=plan.queue_size,
            timeout=plan.timeout,
        )


def run(load: float, sides: Sequence[int], duration_s: float) -> Result:
    """Measure service times, load a server, and predict what it does."""
    settings = Settings.from_environment({"DCTNET_STYLES": STYLE})
    before = measure(settings, sides)
    rate = load * before.max_rate
    plan = make_plan(before, rate, WITHIN_S, least_timeout=60)
    trace = Trace.draw(rate, duration_s, len(sides))
    images = [SourceImage(f"{side}", portrait(side), "image/jpeg", side, side) for side in sides]
    with serving(DCTNET_STYLES=STYLE, **server_settings(plan)) as server:
        report = trace.send(server, images)
        seconds = service_seconds(server)
    model = mean_model(before, measure(settings, sides))
    predicted = trace.predict(model, plan)
    speed = seconds / mean_service_seconds(predicted)
    at_server_speed = trace.predict(scaled(model, speed), plan)
    return Result(load, rate, predicted, at_server_speed, speed, report)


def run_timed(load: float, seconds: float, duration_s: float) -> Result:
    """Do the same with inferences that wait, so that other work on the machine slows none of them.

    Every tenth takes ten times ``seconds``.
    """
    sizes = [
        ImageSize(name=str(number), cost=MIN_COST, alone=each, loaded=each)
        for number, each in enumerate([seconds] * 9 + [10 * seconds])
    ]
    golden = read_image(SHIPPED_COMMON / GOLDEN_INPUT)
    calibration = (golden.shape[0] * golden.shape[1], seconds)
    model = ReplicaModel(slots=TIMED_SLOTS, sizes=sizes, calibrations=[calibration] * TIMED_SLOTS)
    rate = load * model.max_rate
    plan = make_plan(model, rate, TIMED_WITHIN * seconds, least_timeout=60)
    trace = Trace.draw(rate, duration_s, len(sizes))
    (fast,), (slow,) = generate_images(1, SLOW - 1, 8), generate_images(1, SLOW, 8)
    command = [sys.executable, "-m", "tests.server.timed_server"]
    options = server_settings(plan) | {"TIMED_SECONDS": seconds, "DCTNET_SLOTS": TIMED_SLOTS}
    with serving(None, command, **options) as server:
        report = trace.send(server, [fast] * 9 + [slow])
        speed = service_seconds(server)
    predicted = trace.predict(model, plan)
    speed /= mean_service_seconds(predicted)
    return Result(load, rate, predicted, trace.predict(scaled(model, speed), plan), speed, report)


def server_settings(plan: CapacityPlan) -> dict[str, Any]:
    """Return the settings of a server by a plan."""
    return {
        "DCTNET_LOG_LEVEL": "warning",
        "DCTNET_QUEUE_SIZE": plan.queue_size,
        "DCTNET_REQUEST_TIMEOUT": plan.timeout,
    }


def service_seconds(server: Server) -> float:
    """Return the mean seconds of a cartoon's request without its time in the queue.

    That has the upload and the response, too, which are short here; the stages lack the time in
    which a slot's thread waits for a CPU between two of them.
    """
    requests = {"route": "/v1/cartoons", "outcome": "ok"}
    total, count = (
        server.metric(f"dctnet_request_duration_seconds_{part}", **requests)
        for part in ("sum", "count")
    )
    return (total - server.metric("dctnet_stage_duration_seconds_sum", stage="queue")) / count


def mean_service_seconds(outcome: Outcome) -> float:
    """Return the mean seconds that a simulated image took on a slot."""
    return float(np.mean(np.subtract(outcome.latencies, outcome.waits)))


def mean_model(first: ReplicaModel, second: ReplicaModel) -> ReplicaModel:
    """Return a model with the mean service times and the ratios of both."""
    sizes = [
        replace(
            one,
            alone=(one.alone + other.alone) / 2,
            loaded=(one.loaded + other.loaded) / 2,
            ratios=[*one.ratios, *other.ratios],
        )
        for one, other in zip(first.sizes, second.sizes, strict=True)
    ]
    return replace(first, sizes=sizes)


def scaled(model: ReplicaModel, factor: float) -> ReplicaModel:
    """Return a model whose service times are ``factor`` times as long."""

    def scale(size: ImageSize) -> ImageSize:
        return replace(size, alone=size.alone * factor, loaded=size.loaded * factor)

    return replace(
        model,
        sizes=[scale(size) for size in model.sizes],
        calibrations=[(cost, seconds * factor) for cost, seconds in model.calibrations],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("loads", nargs="*", type=float, metavar="LOAD", help="default: 0.7 0.9 1.5")
    parser.add_argument("--duration", type=float, default=DURATION_S, help="seconds; default: 90")
    parser.add_argument(
        "--sides", type=int, nargs="+", default=SIDES, help="pixels; default: 512 1024 2048"
    )
    parser.add_argument(
        "--timed",
        type=float,
        metavar="S",
        help="inferences wait for this time instead of computing, one in ten for ten times as long",
    )
    arguments = parser.parse_args(argv)
    print(f"{time.strftime('%Y-%m-%d')}, {describe_host()}.\n\n{HEADING}")
    print("|---" * HEADING.count(" | ") + "|---|")
    for load in arguments.loads or LOADS:
        if arguments.timed:
            result = run_timed(load, arguments.timed, arguments.duration)
        else:
            result = run(load, arguments.sides, arguments.duration)
        print(result.row(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
