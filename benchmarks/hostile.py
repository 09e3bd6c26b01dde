"""Mixed hostile load: all attacks at once on one replica, with four legitimate clients.

    .venv/bin/python -m benchmarks.hostile [--minutes 30]

The replica has the shipped comic, two slots and default settings, except that it identifies clients
by address. Each legitimate client has an address, a crowd with ordinary images shares one, images
of 40 MP have one, and all other hostile clients share one. Legitimate clients are measured alone,
during the attack, and alone again. During the attack SIGSTOP pauses the worker from time to time,
and the log pipes are full most of the time. The script prints a Markdown table and exits with 1 if
a promise is broken.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import numpy as np

from benchmarks import hostile_clients
from benchmarks.host import describe_host
from benchmarks.hostile_clients import HostileClients
from benchmarks.legitimate_clients import OK, REJECTED, Attempt, LegitimateClients
from benchmarks.replica_monitor import IntermittentLogReader, Observation, Probe, observe
from dctnet.config import Settings
from dctnet.cpus import available_cpus
from dctnet.memory import memory_bound
from dctnet.model_loading import load_engine
from dctnet.units import MIB
from loadtest.client import compare_with, generate_images
from tests.support.metrics import scrape
from tests.support.process import READY_S, Server, only_child

SETTINGS = {"DCTNET_STYLES": "comic", "DCTNET_SLOTS": "2", "DCTNET_FAIRNESS": "address"}
LEGITIMATE_ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
"""Source addresses of legitimate clients; hostile ones have 127.0.0.1, .6 and .7."""

SIDE = 512
IMAGES = 16

WARM_UP_S = 5
ALONE_S = 30
AFTER_S = 60
"""Time that the legitimate clients are measured after the attack, in seconds."""

RECOVERY_S = 10
"""Time after the attack by which the throughput must recover, in seconds."""
RECOVERED_SHARE = 0.9
"""Recovered throughput, relative to that without attack."""
WINDOW_S = 5
"""Window of a throughput measurement, in seconds."""
WINDOW_STEP_S = 0.5

PAUSE_EVERY_S = 120
SHORT_PAUSES_S = (3.0, 4.0, 5.0)
LONG_PAUSE_S = 40.0
LONG_PAUSE_FROM_S = 300
"""Minimum duration of an attack with a long pause, in seconds."""
PAUSE_MARGIN_S = 2
"""Time after a pause in which responses count as delayed by it, in seconds."""

METRICS = (
    "dctnet_rejected",
    "dctnet_client_disconnects",
    "dctnet_unread_responses",
    "dctnet_shortages",
    "dctnet_out_of_memory",
    "dctnet_log_lines_dropped",
    "dctnet_watchdog_trips",
    "dctnet_inferences",
)
"""Counters to print, with all labels."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Time span in which the worker was stopped; monotonic, in seconds."""

    begin_s: float
    end_s: float

    def touches(self, begin_s: float, end_s: float) -> bool:
        """Return whether the pause delayed something in this time span."""
        return begin_s <= self.end_s + PAUSE_MARGIN_S and end_s >= self.begin_s


@dataclass
class HostileRun:
    """State and results of a run."""

    settings: Settings
    legitimate: LegitimateClients
    seen: Observation
    log: IntermittentLogReader
    worker: int
    alone_s: float = 0
    """Start of the phase without attack; all times are monotonic, in seconds."""
    attack_s: float = 0
    after_s: float = 0
    pauses: list[Pause] = field(default_factory=list)
    hostile: hostile_clients.Result | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    worker_after: int | None = None


def pause_schedule(duration_s: float) -> Iterator[tuple[float, float]]:
    """Yield offset and length of each pause, in seconds from the start of the attack."""
    every_s = min(PAUSE_EVERY_S, duration_s / 3)
    number = max(1, round(duration_s / every_s) - 1)
    for index in range(number):
        is_long = duration_s >= LONG_PAUSE_FROM_S and index == number // 2
        short_s = SHORT_PAUSES_S[index % len(SHORT_PAUSES_S)]
        yield (index + 1) * every_s, LONG_PAUSE_S if is_long else short_s


def attack(run: HostileRun, hostile: HostileClients, duration_s: float) -> None:
    """Run the hostile clients, and pause the worker from time to time."""
    run.attack_s = time.monotonic()
    hostile.start()
    for offset_s, length_s in pause_schedule(duration_s):
        _wait_until(run, run.attack_s + offset_s)
        begin_s = time.monotonic()
        # A dead worker is detected later by its process ID.
        with suppress(ProcessLookupError):
            os.kill(run.worker, signal.SIGSTOP)
            try:
                time.sleep(length_s)
            finally:
                os.kill(run.worker, signal.SIGCONT)
        run.pauses.append(Pause(begin_s, time.monotonic()))
    _wait_until(run, run.attack_s + duration_s)
    run.after_s = time.monotonic()
    run.hostile = hostile.stop()


def _wait_until(run: HostileRun, until_s: float) -> None:
    """Wait until a time, printing a status line each minute."""
    while (left_s := until_s - time.monotonic()) > 0:
        elapsed_s = time.monotonic() - run.attack_s
        time.sleep(min(left_s, 60 - elapsed_s % 60))
        now_s = time.monotonic()
        if now_s < until_s:
            attempts = Counter(attempt.outcome for attempt in list(run.legitimate.attempts))
            throughput = run.legitimate.throughput(max(run.attack_s, now_s - 60), now_s)
            print(
                f"{(now_s - run.attack_s) / 60:.0f} min: legitimate {dict(attempts)},"
                f" {throughput:.2f}/s; worker {run.seen.rss // MIB} MiB,"
                f" peak {run.seen.peak_worker // MIB} MiB, {run.seen.peak_descriptors} fds",
                file=sys.stderr,
                flush=True,
            )


def measure(duration_s: float) -> HostileRun:
    """Start a replica and measure it before, during and after the attack."""
    settings = Settings.from_environment(SETTINGS)
    images = generate_images(IMAGES, SIDE, SIDE, format="png")
    engine = load_engine(settings)
    expected = {image.name: engine.cartoonize(image.pixels()).image for image in images}
    with ExitStack() as stack:
        server = Server(None, (), subprocess.PIPE, subprocess.PIPE, **SETTINGS)
        stack.enter_context(server).wait_for(200, READY_S)
        process, worker = server.process, server.worker()
        management = int(server.management.rpartition(":")[2])
        hostile = stack.enter_context(
            hostile_clients.spawn_hostile_clients(
                ("127.0.0.1", server.port), ("127.0.0.1", management)
            )
        )
        log = IntermittentLogReader(process)
        stack.enter_context(log.reading())
        seen = stack.enter_context(observe(process.pid, worker, server.management))
        legitimate = stack.enter_context(
            LegitimateClients.running(
                f"{server.url}/v1/cartoons",
                LEGITIMATE_ADDRESSES,
                images,
                compare_with(expected, tolerance=1),
            )
        )
        run = HostileRun(settings, legitimate, seen, log, worker)
        time.sleep(WARM_UP_S)
        run.alone_s = time.monotonic()
        time.sleep(ALONE_S)
        attack(run, hostile, duration_s)
        time.sleep(max(0.0, run.after_s + AFTER_S - time.monotonic()))
        with suppress(ValueError, OSError):
            run.worker_after = only_child(process.pid)
            run.metrics = _scraped(server.management)
    return run


def _scraped(management: str) -> dict[str, float]:
    return {
        f"`{sample.name}` {', '.join(sample.labels.values())}".strip(): sample.value
        for sample in scrape(management)
        if sample.name.removesuffix("_total") in METRICS
    }


def recovery_s(throughput: Callable[[float, float], float], end_s: float, full: float) -> float:
    """Return the seconds from the end of the attack to the recovery of throughput.

    That is the start of the first window with full throughput; infinite without one.
    """
    for offset_s in np.arange(0, AFTER_S - WINDOW_S, WINDOW_STEP_S):
        begin_s = end_s + float(offset_s)
        if throughput(begin_s, begin_s + WINDOW_S) >= full:
            return float(offset_s)
    return float("inf")


def count_failures(
    attempts: Iterable[Attempt], pauses: Sequence[Pause]
) -> tuple[Counter[str], int]:
    """Count lost requests, and separately deadlines exceeded in a long pause."""
    lost: Counter[str] = Counter()
    excused = 0
    for attempt in attempts:
        if attempt.outcome in (OK, REJECTED):
            continue
        is_of_pause = any(
            pause.end_s - pause.begin_s >= LONG_PAUSE_S
            and pause.touches(attempt.started_s, attempt.ended_s)
            for pause in pauses
        )
        if attempt.status == 504 and is_of_pause:
            excused += 1
        else:
            lost[attempt.outcome] += 1
    return lost, excused


def count_retries(attempts: Sequence[Attempt]) -> tuple[int, int]:
    """Count retries after a rejection, and how many of them were admitted."""
    last: dict[int, Attempt] = {}
    retried = admitted = 0
    for attempt in sorted(attempts, key=lambda attempt: attempt.started_s):
        before = last.get(attempt.client)
        if before is not None and before.outcome == REJECTED:
            retried += 1
            admitted += attempt.outcome != REJECTED
        last[attempt.client] = attempt
    return retried, admitted


def count_failed_probes(
    probes: Iterable[Probe], path: str, pauses: Sequence[Pause]
) -> tuple[int, int]:
    """Count failed probes of a path during pauses of the worker, and at other times."""
    in_pause = others = 0
    for probe in probes:
        if probe.path == path and probe.status != 200:
            if any(pause.touches(probe.started_s, probe.ended_s) for pause in pauses):
                in_pause += 1
            else:
                others += 1
    return in_pause, others


def print_report(run: HostileRun, duration_s: float) -> bool:
    """Print the results; return whether all promises were kept."""
    legitimate, seen = run.legitimate, run.seen
    attempts = sorted(legitimate.attempts, key=lambda attempt: attempt.started_s)
    during = [a for a in attempts if run.attack_s <= a.started_s < run.after_s]
    ok = [attempt for attempt in during if attempt.outcome == OK]
    rejected = [attempt for attempt in during if attempt.outcome == REJECTED]
    lost, excused = count_failures(attempts, run.pauses)
    retried, admitted = count_retries(during)
    before = legitimate.throughput(run.alone_s, run.attack_s)
    after = legitimate.throughput(run.after_s + AFTER_S - ALONE_S, run.after_s + AFTER_S)
    # The speed of a machine changes within minutes; a slow phase must not lower the bar.
    alone = max(before, after)
    beside = legitimate.throughput(run.attack_s, run.after_s)
    recovered_s = recovery_s(legitimate.throughput, run.after_s, RECOVERED_SHARE * alone)
    bound = memory_bound(run.settings, run.settings.threads or int(available_cpus()))
    peak = seen.peak_worker + seen.peak_arbiter
    livez_paused, livez_failed = count_failed_probes(seen.probes, "/livez", run.pauses)
    readyz_paused, readyz_failed = count_failed_probes(seen.probes, "/readyz", run.pauses)
    assert run.hostile is not None
    print(
        f"{time.strftime('%Y-%m-%d')}, {describe_host()}, {duration_s / 60:g} minutes of attack.\n"
    )
    rows = {
        "legitimate requests under attack": len(during),
        "ok": len(ok),
        "rejected": f"{len(rejected)} ({_by_status(rejected)})",
        "`Retry-After`, median and maximum, s": _median_and_max(
            [attempt.retry_after_s or 0 for attempt in rejected]
        ),
        "admitted after `Retry-After`": f"{admitted} of {retried}",
        "lost requests, before, during and after the attack": lost.total(),
        "deadlines exceeded in the long pause (504)": excused,
        "latency of ok responses, p50, s": _percentile([a.ended_s - a.started_s for a in ok], 50),
        "latency of ok responses, p95, s": _percentile([a.ended_s - a.started_s for a in ok], 95),
        "latency including retries, p95, s": _percentile(
            [a.ended_s - a.image_started_s for a in ok], 95
        ),
        "throughput before and after the attack, per second": (f"{before:.2f}, {after:.2f}"),
        "throughput under attack, per second": f"{beside:.2f}",
        f"recovery to {RECOVERED_SHARE:.0%} of that throughput, s": f"{recovered_s:g}",
        "peak memory of worker and arbiter, MiB": (
            f"{seen.peak_worker // MIB} + {seen.peak_arbiter // MIB}"
        ),
        "memory bound, MiB": bound // MIB,
        "worker process after the attack": "the same"
        if run.worker_after == run.worker
        else "another",
        "peak file descriptors and threads of the worker": (
            f"{seen.peak_descriptors}, {seen.peak_threads}"
        ),
        "pauses of the worker, s": ", ".join(f"{p.end_s - p.begin_s:.0f}" for p in run.pauses),
        "failed `/livez` probes, during pauses and otherwise": f"{livez_paused}, {livez_failed}",
        "failed `/readyz` probes, during pauses and otherwise": f"{readyz_paused}, {readyz_failed}",
        "probe latency p99 outside pauses, ms": _percentile(
            [
                1000 * (probe.ended_s - probe.started_s)
                for probe in seen.probes
                if not any(p.touches(probe.started_s, probe.ended_s) for p in run.pauses)
            ],
            99,
        ),
        "log lines, and those that are not JSON": f"{run.log.lines}, {run.log.broken_lines}",
        "exceptions in the log": run.log.exceptions,
        "CPU time of the hostile clients, s": f"{run.hostile.cpu_s:.0f}",
    } | {name: f"{value:g}" for name, value in run.metrics.items() if value}
    print("| figure | value |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    print("\n| hostile clients | outcomes |\n|---|---|")
    by_kind: dict[str, list[str]] = {}
    for (kind, outcome), number in sorted(run.hostile.counts.items()):
        if number:
            by_kind.setdefault(kind, []).append(f"{number} {outcome}")
    for kind, outcomes in by_kind.items():
        print(f"| {kind} | {', '.join(outcomes)} |")
    _print_details(run, lost)
    promises = {
        "legitimate clients lose no request": not lost,
        "memory stays within the bound": peak <= bound,
        "the worker is not restarted": run.worker_after == run.worker,
        "/livez fails only during pauses": livez_failed == 0,
        f"throughput recovers within {RECOVERY_S} s": recovered_s <= RECOVERY_S,
    }
    print()
    for promise, is_kept in promises.items():
        print(f"- {'kept' if is_kept else 'BROKEN'}: {promise}")
    return all(promises.values())


def _print_details(run: HostileRun, lost: Counter[str]) -> None:
    """Print lost requests, recovery and log messages to standard error."""
    after = (
        run.legitimate.throughput(run.after_s + second, run.after_s + second + 1)
        for second in range(2 * RECOVERY_S)
    )
    print("ok per second after the attack:", *(f"{n:g}" for n in after), file=sys.stderr)
    for outcome, number in lost.most_common():
        print(f"lost {number}: {outcome}", file=sys.stderr)
    for line, number in run.log.messages.most_common(20):
        print(f"log, {number} times: {line}", file=sys.stderr)


def _by_status(attempts: Iterable[Attempt]) -> str:
    statuses = Counter(attempt.status for attempt in attempts)
    return ", ".join(f"{number} of {status}" for status, number in statuses.items()) or "none"


def _median_and_max(values: Sequence[int]) -> str:
    return f"{np.median(values):g}, {max(values)}" if values else "none"


def _percentile(values: Sequence[float], percent: int) -> str:
    return f"{np.percentile(values, percent):.2f}" if values else "none"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=30, help="duration of the attack; default: 30"
    )
    duration_s = 60 * parser.parse_args().minutes
    return 0 if print_report(measure(duration_s), duration_s) else 1


if __name__ == "__main__":
    sys.exit(main())
