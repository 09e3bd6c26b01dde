"""What a replica costs: from the start of its process until it is ready, and its memory then.

    .venv/bin/python -m benchmarks.startup [--rounds N] [--upstream DIR]

Replicas are started one at a time, each spec once a round; the medians are printed as a Markdown
table. `--upstream` is a folder as upstream ships it, by which TensorFlow stands beside.
"""

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from benchmarks.host import describe_host
from dctnet.engine import MAX_WORKING_SIDE
from tests.support.process import family_memory, serving

SIDES = (960, MAX_WORKING_SIDE)
"""Caps of the working size: slots are warmed at 720×960, and at the default."""

SLOTS = (1, 2)


@dataclass(frozen=True)
class ReplicaSpec:
    """A spec of replica."""

    runtime: str
    model: str
    slots: int
    side: int


@dataclass(frozen=True)
class StartupCost:
    """What one start of it cost."""

    ready_s: float
    """From the start of the process until `/readyz` answers 200."""
    memory: int
    """Bytes: the proportional set sizes of Gunicorn's master and worker together."""


def measure_start(spec: ReplicaSpec) -> StartupCost:
    """Start a replica, wait until it is ready, and end it."""
    started = time.perf_counter()
    with serving(
        DCTNET_MODEL=spec.model,
        DCTNET_SLOTS=spec.slots,
        DCTNET_MAX_WORKING_SIDE=spec.side,
        DCTNET_RUNTIME=spec.runtime,
        # An installed package has its bytecode, and the first start writes what is missing.
        PYTHONDONTWRITEBYTECODE="",
    ) as server:
        ready_s = time.perf_counter() - started
        return StartupCost(ready_s, family_memory(server.process.pid))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--model", default="demo", help="a prepared model; default: demo")
    parser.add_argument("--upstream", metavar="DIR", help="a model in the upstream format")
    arguments = parser.parse_args()
    models = {"native": arguments.model}
    if arguments.upstream:
        models["tensorflow"] = arguments.upstream
    specs = [
        ReplicaSpec(runtime, model, slots, side)
        for runtime, model in models.items()
        for side in SIDES
        for slots in SLOTS
    ]
    for runtime in models:  # What is read once more comes from the page cache.
        measure_start(next(spec for spec in specs if spec.runtime == runtime))
    costs_by_spec: dict[ReplicaSpec, list[StartupCost]] = defaultdict(list)
    for number in range(arguments.rounds):
        for spec in specs:
            costs_by_spec[spec].append(measure_start(spec))
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    print(
        f"{time.strftime('%Y-%m-%d')}, {describe_host()}, medians of {arguments.rounds} rounds.\n"
    )
    print("| runtime | largest image | slots | ready, s | least | most | PSS, MB |")
    print("|---|---|---|---|---|---|---|")
    for spec, costs in costs_by_spec.items():
        seconds = [cost.ready_s for cost in costs]
        cells = (
            spec.runtime,
            f"720×{spec.side}",
            spec.slots,
            *(f"{value:.2f}" for value in (median(seconds), min(seconds), max(seconds))),
            f"{median(cost.memory for cost in costs) / 1e6:.0f}",
        )
        print("| " + " | ".join(map(str, cells)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
