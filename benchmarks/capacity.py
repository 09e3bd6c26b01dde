"""Capacity benchmark: latencies that `dctnet capacity` predicts, and those of a real server.

    .venv/bin/python -m benchmarks.capacity [--duration S] [LOAD...]

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

import numpy as np

from benchmarks.host import describe_host
from dctnet.capacity.measurement import measure, portrait
from dctnet.capacity.plan import PERCENTILE, make_plan
from dctnet.capacity.simulation import ImageSize, Outcome, ReplicaModel, replay
from dctnet.config import Settings
from loadtest import client
from loadtest.client import OpenLoop, Plan, Report, SourceImage
from tests.support.metrics import scrape
from tests.support.process import Server, serving

STYLE = "comic"
SIDES = (512, 1024, 2048)
LOADS = (0.7, 0.9, 1.5)
WITHIN_S = 5.0
"""Latency bound, by which the queue size is planned."""
DURATION_S = 90.0
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

    def row(self) -> str:
        """Return a row of the table."""
        latency = self.report.latency_s["ok"]
        assert latency is not None
        p95 = [outcome.percentile(PERCENTILE) for outcome in (self.predicted, self.at_server_speed)]
        cells = [
            f"{self.load:.0%}",
            f"{self.rate:.2f}",
            str(self.report.sent),
            *(f"{seconds:.2f} ({seconds / latency.p95:.2f})" for seconds in p95),
            f"{latency.p95:.2f}",
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


def run(load: float, sides: Sequence[int], duration_s: float) -> Result:
    """Measure service times, load a server, and predict what it does."""
    settings = Settings.from_environment({"DCTNET_STYLES": STYLE})
    before = measure(settings, sides)
    plan = make_plan(before, load * before.max_rate, WITHIN_S, least_timeout=60)
    rate = load * before.max_rate
    arrivals = OpenLoop(rate=rate, duration_s=duration_s, poisson=True, seed=SEED)
    chance = random.Random(SEED)  # noqa: S311 - Repeatable on purpose.
    drawn = [chance.randrange(len(sides)) for _ in range(arrivals.count())]
    data = [portrait(side) for side in sides]
    images = [
        SourceImage(f"{number}", data[size], "image/jpeg", sides[size], sides[size])
        for number, size in enumerate(drawn)
    ]
    with serving(
        DCTNET_STYLES=STYLE,
        DCTNET_LOG_LEVEL="warning",
        DCTNET_QUEUE_SIZE=plan.queue_size,
        DCTNET_REQUEST_TIMEOUT=plan.timeout,
    ) as server:
        url = f"{server.url}/v1/cartoons"
        report = client.run(Plan(url=url, arrivals=arrivals, images=images, timeout_s=120))
        seconds = service_seconds(server)
    model = mean_model(before, measure(settings, sides))

    def predict(model: ReplicaModel) -> Outcome:
        return replay(
            model,
            [(due, model.sizes[size]) for due, size in zip(arrivals.offsets(), drawn, strict=True)],
            queue_size=plan.queue_size,
            timeout=plan.timeout,
        )

    predicted = predict(model)
    speed = seconds / mean_service_seconds(predicted)
    return Result(load, rate, predicted, predict(scaled(model, speed)), speed, report)


def service_seconds(server: Server) -> float:
    """Return the mean seconds that an image took on a slot."""
    name = "dctnet_stage_duration_seconds"
    samples = scrape(server.management)
    total = sum(
        sample.value
        for sample in samples
        if sample.name == f"{name}_sum" and sample.labels["stage"] != "queue"
    )
    count = max(sample.value for sample in samples if sample.name == f"{name}_count")
    return total / count


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
    arguments = parser.parse_args(argv)
    print(f"{time.strftime('%Y-%m-%d')}, {describe_host()}.\n\n{HEADING}")
    print("|---" * HEADING.count(" | ") + "|---|")
    for load in arguments.loads or LOADS:
        print(run(load, arguments.sides, arguments.duration).row(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
