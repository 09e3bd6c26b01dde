"""Style switch benchmark: the cost of a call whose weights have to be transformed, and memory.

    .venv/bin/python -m benchmarks.style_switch [--rounds N] [--threads N …]

Two generators with the weights of the shipped comic share a cache for one. In each round and for
each variant of the native runtime, an image of 512×512 is cartoonized with hot weights and right
after a switch, and a switch alone is timed. The script prints medians as a Markdown table, then
resident memory per generator.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from statistics import median

import numpy as np

from benchmarks.host import describe_host
from benchmarks.isolated import spawn_object
from dctnet.models import generator_weights
from dctnet.models.folder import SHIPPED
from dctnet.models.networks import file_name
from dctnet.runtimes import native_library
from dctnet.runtimes.native import NativeGenerator, ScratchPool, WeightCache
from dctnet.runtimes.native_library import NativeError
from tests.support.process import memory

SIDE = 512
"""Height and width of the image, in pixels."""

STYLES = 10
"""Generators in the measurement of memory."""


@dataclass(frozen=True)
class Durations:
    """Durations of one round, in seconds."""

    hot: float
    """A call that finds its weights in the cache."""
    switched: float
    """A call that transforms its weights first."""
    switch: float
    """CPU time of a switch alone, on one thread."""


class Styles:
    """Generators that share a cache of transformed weights."""

    def __init__(self, variant: str, capacity: int | None) -> None:
        self._cache = WeightCache(capacity)
        self._scratch_pool = ScratchPool(native_library.library(variant))
        self._image = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        self._current, self._other = self._load(), self._load()
        self._current(self._image)
        self._spare = self._other.transform(None)

    def _load(self) -> NativeGenerator:
        weights = generator_weights.read(SHIPPED / "comic" / file_name("background", "native"))
        return NativeGenerator(weights, self._scratch_pool, cache=self._cache)

    def durations(self, threads: int) -> Durations:
        """Return the durations of one round."""
        hot = _seconds(time.perf_counter, lambda: self._current.generate(self._image, threads))
        self._current, self._other = self._other, self._current
        switched = _seconds(time.perf_counter, lambda: self._current.generate(self._image, threads))
        switch = _seconds(time.thread_time, lambda: self._other.transform(self._spare))
        return Durations(hot, switched, switch)

    def memory(self) -> tuple[float, float]:
        """Return the resident bytes per idle generator, and what a hot one takes beyond them."""
        before = memory(os.getpid(), "VmRSS")
        generators = [self._load() for _ in range(STYLES)]
        idle = memory(os.getpid(), "VmRSS")
        for generator in generators:
            generator(self._image)
        hot = memory(os.getpid(), "VmRSS")
        return (idle - before) / STYLES, (hot - idle) / STYLES


def _seconds(clock: Callable[[], float], call: Callable[[], object]) -> float:
    started = clock()
    call()
    return clock() - started


def available_variants() -> list[str]:
    """Return the variants of the native runtime that this machine supports."""
    variants = []
    for variant in native_library.VARIANTS[os.uname().machine]:
        try:
            native_library.library(variant)
        except NativeError as error:
            print(f"{variant} is skipped: {error}", file=sys.stderr)
        else:
            variants.append(variant)
    return variants


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21, help="number of rounds; default: 21")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2], help="threads per image; default: 1 2"
    )
    arguments = parser.parse_args()
    variants = available_variants()
    results: dict[tuple[str, int], list[Durations]] = defaultdict(list)
    with ExitStack() as stack:
        styles = {name: stack.enter_context(spawn_object(Styles, name, 1)) for name in variants}
        for _ in range(arguments.rounds):
            for threads in arguments.threads:
                for name, isolated in styles.items():
                    results[name, threads].append(isolated("durations", threads))
    print(
        f"{time.strftime('%Y-%m-%d')}, {describe_host()}, {SIDE}×{SIDE}, medians of"
        f" {arguments.rounds} rounds.\n"
    )
    print(
        "| variant | threads | hot call, ms | call after a switch, ms | switch alone, CPU ms |"
        " its minimum |"
    )
    print("|---|---|---|---|---|---|")
    for (name, threads), rounds in sorted(results.items()):
        columns = list(zip(*map(astuple, rounds), strict=True))
        cells = [f"{1e3 * value:.1f}" for value in (*map(median, columns), min(columns[-1]))]
        print("| " + " | ".join([name, str(threads), *cells]) + " |")
    print("\n| variant | idle generator, RSS in MB | transformed weights of a hot one, MB |")
    print("|---|---|---|")
    for name in variants:
        with spawn_object(Styles, name, None) as isolated:
            idle, hot = isolated("memory")
        print(f"| {name} | {idle / 1e6:.1f} | {hot / 1e6:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
