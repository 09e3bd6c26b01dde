"""Start-up benchmark: time until a replica is ready, and its memory then and in use.

    .venv/bin/python -m benchmarks.startup [--rounds N] [--upstream DIR]

Replicas start one at a time, each once per round, and cartoonize one of the largest images per
slot. The script prints medians as a Markdown table.
`--upstream` is a model folder in upstream format, which adds TensorFlow.
"""

import argparse
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from benchmarks import slot_memory
from benchmarks.host import describe_host
from dctnet.engine import MAX_WORKING_SIDE
from tests.support.process import family_memory, family_time, serving

SIDES = (960, MAX_WORKING_SIDE)
"""Limits of the working side: slots warm up at 720×960, and at the default."""

SLOTS = (1, 2)


@dataclass(frozen=True)
class ReplicaSpec:
    """Configuration of a replica."""

    runtime: str
    model: str
    slots: int
    side: int


@dataclass(frozen=True)
class StartupCost:
    """Cost of one start."""

    ready_s: float
    """Time from process start until `/health` returns 200, in seconds."""
    cpu_s: float
    """CPU time of all processes until then, in seconds."""
    ready_memory: int
    """Proportional set size (PSS) of all processes then, in bytes."""
    used_memory: int
    """The same after one of the largest images per slot."""


def measure_start(spec: ReplicaSpec) -> StartupCost:
    """Start a replica, wait until it is ready, and stop it."""
    started = time.perf_counter()
    with serving(
        DCTNET_STYLES=spec.model,
        DCTNET_SLOTS=spec.slots,
        DCTNET_MAX_WORKING_SIDE=spec.side,
        DCTNET_RUNTIME=spec.runtime,
        # As in an installed package; the first start writes missing bytecode.
        PYTHONDONTWRITEBYTECODE="",
    ) as server:
        ready_s = time.perf_counter() - started
        pid = server.process.pid
        cpu_s, ready_memory = family_time(pid), family_memory(pid)
        image = slot_memory.encode_file("JPEG", "photo", (spec.side, 720))
        with ThreadPoolExecutor(spec.slots) as pool:
            cartoons = [
                pool.submit(slot_memory.cartoon, server.url, image, "jpeg")
                for _ in range(spec.slots)
            ]
            for cartoon in cartoons:
                cartoon.result()
        return StartupCost(ready_s, cpu_s, ready_memory, family_memory(pid))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds; default: 9")
    parser.add_argument("--model", default="comic", help="converted style; default: comic")
    parser.add_argument("--upstream", metavar="DIR", help="model in upstream format")
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
    for runtime in models:  # Fills the page cache.
        measure_start(next(spec for spec in specs if spec.runtime == runtime))
    costs_by_spec: dict[ReplicaSpec, list[StartupCost]] = defaultdict(list)
    for number in range(arguments.rounds):
        for spec in specs:
            costs_by_spec[spec].append(measure_start(spec))
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    print(
        f"{time.strftime('%Y-%m-%d')}, {describe_host()}, medians of {arguments.rounds} rounds.\n"
    )
    columns = (
        *("runtime", "largest image", "slots", "ready, s", "minimum", "maximum", "CPU time, s"),
        *("PSS when ready, MB", "PSS after images, MB"),
    )
    print("| " + " | ".join(columns) + " |")
    print("|---" * len(columns) + "|")
    for spec, costs in costs_by_spec.items():
        seconds = [cost.ready_s for cost in costs]
        cells = (
            spec.runtime,
            f"720×{spec.side}",
            spec.slots,
            *(f"{value:.2f}" for value in (median(seconds), min(seconds), max(seconds))),
            f"{median(cost.cpu_s for cost in costs):.2f}",
            f"{median(cost.ready_memory for cost in costs) / 1e6:.0f}",
            f"{median(cost.used_memory for cost in costs) / 1e6:.0f}",
        )
        print("| " + " | ".join(map(str, cells)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
