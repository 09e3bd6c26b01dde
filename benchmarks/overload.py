"""Overload benchmark: 50 clients, overload, slow clients and memory growth.

    .venv/bin/python -m benchmarks.overload [--rounds N] [SCENARIO...]

Each scenario runs once per round, against a new replica with the shipped comic. The script prints
medians as a Markdown table.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from threading import Event

import numpy as np

from benchmarks.host import describe_host
from benchmarks.probe_latency import poll_probes
from dctnet.config import Settings
from dctnet.model_loading import load_engine
from loadtest import client
from loadtest.client import ClosedLoop, OpenLoop, Plan, compare_with, generate_images
from loadtest.slow_clients import SlowPlan
from loadtest.slow_clients import run as run_slow_clients
from tests.support.process import Server, memory, only_child, serving

RoundResults = dict[str, float]

SIDE = 512
CLIENTS = 50
REQUESTS = 200
OVERLOAD = 3
"""Arrival rate in the overload, relative to the capacity measured just before."""
OVERLOAD_S = 60
CAPACITY_S = 30
CAPACITY_CLIENTS = 8
"""Number of clients that keep every slot busy."""
SLOW_CLIENTS = 100
"""Number of clients with slow headers, and of clients with slow bodies."""
SLOW_S = 30
SOAK_REQUESTS = 2000
SOAK_SKIPPED = 500
"""Initial requests excluded from the fit, while caches and arenas grow."""
SOAK_SIDES = ((64, 64), (96, 160), (200, 120), (256, 256))


def fifty_clients(server: Server) -> RoundResults:
    """Measure 50 concurrent clients with distinct images, all cartoons checked."""
    images = generate_images(CLIENTS, SIDE, SIDE, format="png")
    engine = load_engine(Settings.from_environment({"DCTNET_STYLES": "comic"}))
    expected = {image.name: engine.cartoonize(image.pixels()).image for image in images}
    report = client.run(
        Plan(
            url=f"{server.url}/v1/cartoons",
            arrivals=ClosedLoop(clients=CLIENTS, requests=REQUESTS),
            images=images,
            check=compare_with(expected, tolerance=1),
            timeout_s=120,
        )
    )
    latency = report.latency_s["ok"]
    assert latency is not None
    return {
        "requests": report.sent,
        "ok": report.ok,
        "rejected": report.rejected,
        "failed or invalid": report.failed + report.invalid,
        "ok responses per second": report.throughput,
        "latency p50, s": latency.p50,
        "latency p95, s": latency.p95,
    }


def overload(server: Server) -> RoundResults:
    """Measure arrivals at three times the capacity for a minute."""
    url, images = f"{server.url}/v1/cartoons", generate_images(16, SIDE, SIDE)
    within = ClosedLoop(clients=CAPACITY_CLIENTS, duration_s=CAPACITY_S)
    capacity = client.run(Plan(url=url, arrivals=within, images=images)).throughput
    arrivals = OpenLoop(rate=OVERLOAD * capacity, duration_s=OVERLOAD_S, poisson=True)
    plan = Plan(url=url, arrivals=arrivals, images=images, timeout_s=120)
    with poll_probes([f"{server.management}/{name}" for name in ("readyz", "livez")]) as probes:
        report = client.run(plan)
    rejected, ok = report.latency_s["rejected"], report.latency_s["ok"]
    assert ok is not None
    assert rejected is not None
    return {
        "capacity, per second": capacity,
        "requests": report.sent,
        "ok": report.ok,
        "rejected": report.rejected,
        "rejected without Retry-After": report.rejected_without_retry_after,
        "failed or invalid": report.failed + report.invalid,
        # The span includes the queue that is completed after the last arrival.
        "goodput relative to capacity, %": 100 * report.throughput / capacity,
        "rejection p50, ms": 1000 * rejected.p50,
        "rejection p99, ms": 1000 * rejected.p99,
        "slowest ok response, s": ok.max,
        "probe p99, ms": 1000 * float(np.percentile(probes.seconds, 99)),
        "failed probes": probes.failed,
    }


def slow_clients(server: Server) -> RoundResults:
    """Measure throughput while 200 clients keep sending one byte per second."""
    url, images = f"{server.url}/v1/cartoons", generate_images(16, SIDE, SIDE)
    plan = Plan(
        url=url,
        arrivals=ClosedLoop(clients=CAPACITY_CLIENTS, duration_s=SLOW_S),
        images=images,
        timeout_s=120,
    )
    slow_plan = SlowPlan(
        url=url, connections=SLOW_CLIENTS, part="headers", image=images[0], bound_s=SLOW_S
    )
    before = client.run(plan).throughput
    done = Event()
    with ThreadPoolExecutor(2) as pool:
        headers = pool.submit(_drip, slow_plan, done)
        bodies = pool.submit(_drip, replace(slow_plan, part="body"), done)
        try:
            beside = client.run(plan)
        finally:
            done.set()
        started, timed_out = map(sum, zip(headers.result(), bodies.result(), strict=True))
    # Before and after, because the speed of a machine changes within minutes.
    alone = (before + client.run(plan).throughput) / 2
    return {
        "without slow clients, per second": alone,
        "with slow clients, per second": beside.throughput,
        "remaining throughput, %": 100 * beside.throughput / alone,
        "slow clients": started,
        "slow clients closed with 408": timed_out,
        "other requests failed or rejected": beside.sent - beside.ok,
    }


def _drip(plan: SlowPlan, done: Event) -> tuple[int, int]:
    """Restart slow clients as soon as all have ended; count them and their 408s."""
    started = timed_out = 0
    while not done.is_set():
        started += plan.connections
        timed_out += run_slow_clients(plan).by_status.get(408, 0)
    return started, timed_out


def soak(server: Server) -> RoundResults:
    """Measure memory growth over requests of mixed sizes: slope and 95 % bound."""
    images = [
        image
        for seed, (height, width) in enumerate(SOAK_SIDES)
        for image in generate_images(4, width, height, seed=seed)
    ]
    worker = only_child(server.process.pid)
    counts, sizes = [], []
    step = 25
    for done in range(step, SOAK_REQUESTS + step, step):
        arrivals = ClosedLoop(clients=4, requests=step)
        report = client.run(Plan(url=f"{server.url}/v1/cartoons", arrivals=arrivals, images=images))
        assert report.ok == step, report.table()
        if done > SOAK_SKIPPED:
            counts.append(done)
            sizes.append(memory(worker, "VmRSS") / 1024)
    (slope, _), covariance = np.polyfit(counts, sizes, 1, cov=True)
    bound = slope + 1.96 * np.sqrt(covariance[0, 0])
    return {
        "final resident memory, MiB": sizes[-1] / 1024,
        "growth per request, KiB": float(slope),
        "95 % bound, KiB": float(bound),
    }


SCENARIOS: dict[str, Callable[[Server], RoundResults]] = {
    "fifty-clients": fifty_clients,
    "overload": overload,
    "slow-clients": slow_clients,
    "soak": soak,
}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "scenarios", nargs="*", choices=[[], *SCENARIOS], help="scenarios; default: all"
    )
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds; default: 3")
    arguments = parser.parse_args()
    selected = arguments.scenarios or list(SCENARIOS)
    results: dict[str, list[RoundResults]] = defaultdict(list)
    for number in range(arguments.rounds):
        for scenario in selected:
            with serving(DCTNET_STYLES="comic") as server:
                figures = SCENARIOS[scenario](server)
            results[scenario].append(figures)
            print(f"round {number + 1}, {scenario}: {figures}", file=sys.stderr, flush=True)
    print(
        f"{time.strftime('%Y-%m-%d')}, {describe_host()}, medians of {arguments.rounds} rounds.\n"
    )
    print("| scenario | figure | median | minimum | maximum |\n|---|---|---|---|---|")
    for scenario in selected:
        for name in results[scenario][0]:
            values = [figures[name] for figures in results[scenario]]
            cells = (f"{value:.4g}" for value in (median(values), min(values), max(values)))
            print(f"| {scenario} | {name} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
