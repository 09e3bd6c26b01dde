"""Process model benchmark: one replica of N slots, N replicas, and two Gunicorn baselines.

    .venv/bin/python -m benchmarks.process_model [--rounds N] [--page DIR/PAGE.md]

All setups use the same engine. Each runs alone, once per round, under 50 closed-loop clients with
512×512 portraits, while `/health` is probed. The script writes its results into the page, between
two comments.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

from benchmarks.host import describe_host
from benchmarks.isolated import spawn_object
from benchmarks.overhead import portrait
from benchmarks.probe_latency import poll_probes
from benchmarks.report import table
from dctnet.arrays import Pixels
from dctnet.config import Settings
from dctnet.cpus import available_cpus
from dctnet.model_loading import load_engine
from loadtest import client
from loadtest.client import Check, ClosedLoop, Plan, SourceImage, compare_with
from tests.support.process import family_memory, family_time, free_ports, running, serving
from tests.support.repo import environment

RoundResults = dict[str, float]
Measurements = dict[str, list[RoundResults]]
"""Results of each round, by setup."""

CLIENTS = 50
WARM_UP = 16
TIMEOUT_S = 300
"""Request timeout of the baselines and the clients, in seconds."""
SAMPLE_S = 1.0
"""Interval of memory samples, in seconds; each walks over all pages of the processes."""

FIGURES = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end of figures -->)", re.DOTALL)

HOST_NOTE = """\
Measured on {date} by

```text
.venv/bin/python -m benchmarks.process_model{arguments}
```

on {machine}, with the clients on the same machine. Load average before the run: {load:.1f} on
{cpus:g} cores ({noise}). Throughput of the first setup: {least:.1f} to {most:.1f} images per
second. Medians of {rounds} interleaved rounds of {requests} images, minimum and maximum in
brackets; ratios are computed within each round."""


@dataclass(frozen=True)
class Running:
    """A running setup."""

    urls: list[str]
    """URL of each server."""
    pids: list[int]
    """Process ID of each server's arbiter."""


@dataclass(frozen=True)
class Setup:
    """A named setup and its start function."""

    name: str
    start: Callable[[], AbstractContextManager[Running]]


class ReferenceEngine:
    """The engine, for the expected cartoon."""

    def __init__(self, model: str) -> None:
        self._engine = load_engine(Settings.from_environment({"DCTNET_STYLES": model}))

    def cartoonize(self, pixels: Pixels) -> Pixels:
        """Return the cartoon."""
        return self._engine.cartoonize(pixels).image


@contextmanager
def run_replicas(count: int, **settings: Any) -> Iterator[Running]:
    """Start a number of replicas with these settings."""
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(**settings)) for _ in range(count)]
        yield Running([each.url for each in servers], [each.process.pid for each in servers])


@contextmanager
def run_baseline(workers: int, threads: int, **settings: object) -> Iterator[Running]:
    """Start the baseline app under Gunicorn, and wait until every worker is ready."""
    (port,) = free_ports(1)
    kind = ["--worker-class", "sync"] if threads == 1 else ["--threads", str(threads)]
    limits = ["--timeout", str(TIMEOUT_S), "--keep-alive", "2", "--log-level", "warning"]
    command = [sys.executable, "-m", "gunicorn", "--workers", str(workers), *kind, *limits]
    command += ["--bind", f"127.0.0.1:{port}", "benchmarks.baseline_app:app"]
    with running(command, environment(**settings), subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(workers):
            if not process.stdout.readline():
                sys.exit("The baseline app could not be started.")
        yield Running([f"http://127.0.0.1:{port}"], [process.pid])


def setups(model: str, slots: int, baseline_threads: str) -> list[Setup]:
    """Return the setups; ratios are relative to the first."""
    single_slot = {"DCTNET_STYLES": model, "DCTNET_SLOTS": 1, "DCTNET_THREADS": 1}
    baseline = single_slot | {"DCTNET_THREADS": baseline_threads}
    return [
        Setup(
            f"one replica of {slots} slots",
            lambda: run_replicas(1, DCTNET_STYLES=model, DCTNET_SLOTS=slots),
        ),
        Setup(f"{slots} replicas of one slot", lambda: run_replicas(slots, **single_slot)),
        Setup("Gunicorn, 4 sync workers", lambda: run_baseline(4, 1, **baseline)),
        Setup(
            "Gunicorn, 4 workers of 2 threads",
            lambda: run_baseline(4, 2, **(baseline | {"DCTNET_SLOTS": 2})),
        ),
    ]


@contextmanager
def sample_memory(pids: Sequence[int]) -> Iterator[list[int]]:
    """Sample the memory of process families until the block ends."""
    sizes: list[int] = []
    ended = Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_S):
            sizes.append(sum(map(family_memory, pids)))

    thread = Thread(target=sample)
    thread.start()
    try:
        yield sizes
    finally:
        ended.set()
        thread.join()
    sizes.append(sum(map(family_memory, pids)))


def measure_setup(
    running: Running, image: SourceImage, check: Check, requests: int
) -> RoundResults:
    """Measure 50 clients with a number of requests, after a warm-up."""

    def plan(clients: int, number: int) -> Plan:
        first, *others = [f"{url}/v1/cartoons" for url in running.urls]
        return Plan(
            url=first,
            other_urls=others,
            arrivals=ClosedLoop(clients=clients, requests=number),
            images=[image],
            check=check,
            timeout_s=TIMEOUT_S,
        )

    client.run(plan(WARM_UP // 2, WARM_UP))
    used = sum(map(family_time, running.pids))
    probes = poll_probes([f"{url}/health" for url in running.urls])
    with probes as health, sample_memory(running.pids) as sizes:
        report = client.run(plan(CLIENTS, requests))
    used = sum(map(family_time, running.pids)) - used
    latency = report.latency_s["ok"]
    assert latency is not None, report.table()
    return {
        "rate": report.throughput,
        "used": used / report.ok,
        "p50": latency.p50,
        "p95": latency.p95,
        # Probes are sequential, so a slow one delays the next and a median would be too low.
        "health": max(health.seconds),
        "memory": max(sizes) / 1e6,
        "ok": report.ok,
        "rejected": report.rejected,
        "failed": report.failed + report.invalid,
    }


def measure(
    compared: Sequence[Setup], rounds: int, model: str, requests: int
) -> Iterator[Measurements]:
    """Measure each setup once per round, in alternating order; yield all results so far."""
    image = portrait()
    with spawn_object(ReferenceEngine, model) as engine:
        check = compare_with({image.name: engine("cartoonize", image.pixels())}, tolerance=1)
    results: Measurements = defaultdict(list)
    for number in range(rounds):
        for setup in compared if number % 2 == 0 else reversed(compared):
            with setup.start() as running:
                figures = measure_setup(running, image, check, requests)
            results[setup.name].append(figures)
            print(f"round {number + 1}, {setup.name}: {figures}", file=sys.stderr, flush=True)
        yield {setup.name: results[setup.name] for setup in compared}


def describe_run(results: Measurements, load: float, requests: int) -> str:
    """Describe date, host and background load of the run."""
    cpus = available_cpus()
    rates = [figures["rate"] for figures in next(iter(results.values()))]
    return HOST_NOTE.format(
        date=time.strftime("%Y-%m-%d"),
        arguments=f" {shlex.join(sys.argv[1:])}" if sys.argv[1:] else "",
        machine=describe_host(),
        load=load,
        cpus=cpus,
        noise="background load" if load > cpus / 4 else "otherwise idle",
        least=min(rates),
        most=max(rates),
        rounds=len(rates),
        requests=requests,
    )


def format_tables(results: Measurements) -> str:
    """Return the Markdown tables of throughput, cost, outcomes and latency."""
    first = next(iter(results.values()))
    costs, waits = [], []
    for name, rounds in results.items():
        of = {figure: [each[figure] for each in rounds] for figure in first[0]}

        def times(figure: str, rounds: list[RoundResults] = rounds) -> str:
            pairs = zip(rounds, first, strict=True)
            return _spread([each[figure] / other[figure] for each, other in pairs], 2)

        rates = [f"{median(of['rate']):.2f}", times("rate"), f"{median(of['used']):.2f}"]
        costs.append([name, *rates, times("used"), f"{median(of['memory']):.0f}", times("memory")])
        waits.append(
            [
                name,
                *(f"{sum(of[outcome]):.0f}" for outcome in ("ok", "rejected", "failed")),
                f"{median(of['p50']):.1f}",
                _spread(of["p95"], 1),
                f"{max(of['health']):.1f}",
            ]
        )
    ratio = "ratio to first"
    cost = ["images per second", ratio, "CPU seconds per image", ratio, "memory, MB", ratio]
    outcomes = ["ok", "rejected", "failed or invalid"]
    seconds = ["p50, s", "p95, s", "slowest `/health`, s"]
    both = table(["setup", *cost], costs), table(["setup", *outcomes, *seconds], waits)
    return "\n\n".join(both)


def _spread(values: Sequence[float], digits: int) -> str:
    middle, least, most = (
        f"{value:.{digits}f}" for value in (median(values), min(values), max(values))
    )
    return f"{middle} ({least} to {most})"


def write(page: Path, figures: str) -> None:
    """Replace the results in the page."""
    text, count = FIGURES.subn(lambda _: figures + "\n", page.read_text())
    if count != 1:
        sys.exit(f"{page} has no place for results: the comments `figures` and `end of figures`.")
    page.write_text(text)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds; default: 9")
    parser.add_argument(
        "--requests", type=int, default=200, help="requests per round; default: 200"
    )
    parser.add_argument("--model", default="comic", help="converted style; default: comic")
    parser.add_argument(
        "--baseline-threads", default="1", help="DCTNET_THREADS of a baseline worker; default: 1"
    )
    parser.add_argument(
        "--page", type=Path, default=Path("docs/process-model.md"), help="page to update"
    )
    arguments = parser.parse_args()
    cpus, load = available_cpus(), os.getloadavg()[0]
    compared = setups(arguments.model, max(1, int(cpus)), arguments.baseline_threads)
    # After each round, so that an aborted run keeps its results.
    for results in measure(compared, arguments.rounds, arguments.model, arguments.requests):
        write(
            arguments.page,
            f"{describe_run(results, load, arguments.requests)}\n\n{format_tables(results)}\n",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
