"""How fast the generator is: the native runtime beside TensorFlow with oneDNN.

    .venv/bin/python -m benchmarks.generator [--rounds N] [--variants NAME...] [SIZE...]

Each engine computes in a process of its own, for TensorFlow shares its threads among all sessions
of a process. All are asked once a round, in turn; medians are printed as Markdown tables.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import numpy as np

from benchmarks.machine import describe
from dctnet.models.folder import DEMO
from dctnet.runtimes import Generator, Pixels, native
from dctnet.runtimes.weights import COUNT, LAYERS, Weights

SIZES = ("288x288", "512x512", "720x960")
PROFILED = "720x960"
SLOTS, SLOTS_SIZE, SLOTS_PICTURES = 2, "512x512", 4
"""Throughput: so many callers of one thread each, each with so many pictures a round."""
GEMM_SIDE = 2048

STRIDED = ("Conv_1", "Conv_3")
SEVEN = ("Conv", "Conv_9")


def multiplications(of_seven: float) -> float:
    """Return the multiplications a pixel: F(6×6, 3×3) needs 64 of 324 where it applies.

    `of_seven` is the share that the 7×7 layers need: 1 directly, 10/28 by F(4, 7).
    """
    total = 0.0
    area = 1.0
    for name, shape in LAYERS.items():
        if name in STRIDED:
            area /= 4
        elif name in {"Conv_6", "Conv_8"}:
            area *= 4
        share = 1 if name in STRIDED else of_seven if name in SEVEN else 64 / 324
        total += area * float(np.prod(shape)) * share
    return total


@dataclass(frozen=True)
class Engine:
    """Who computes, on how many threads a call."""

    runtime: str
    """`tensorflow`, `sgemm`, or a variant of the native runtime."""
    threads: int


def _generator(engine: Engine) -> Generator:
    if engine.runtime == "tensorflow":
        from dctnet.runtimes import tensorflow

        return tensorflow._generator(DEMO / "cartoon_bg.pb", engine.threads)  # noqa: SLF001
    values = np.random.default_rng(1).normal(0, 0.03, COUNT).astype(np.float32)
    scratches = native.Scratches(native.library(engine.runtime))
    return native.NativeGenerator(Weights(values, 0.005), scratches, engine.threads)


def _sgemm() -> float:
    """Return the seconds of one multiplication of matrices."""
    a = np.random.default_rng(1).random((GEMM_SIDE, GEMM_SIDE), np.float32)
    started = time.perf_counter()
    a @ a
    return time.perf_counter() - started


def _picture(size: str) -> Pixels:
    height, width = map(int, size.split("x"))
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)


def _serve(engine: Engine, asked: Connection) -> None:
    """In a process of the engine's own: answer each question with a figure."""
    generate = None if engine.runtime == "sgemm" else _generator(engine)
    while True:
        question, *arguments = asked.recv()
        asked.send(_QUESTIONS[question](generate, *arguments))


def _seconds(generate: Generator | None, size: str) -> float:
    if generate is None:
        return _sgemm()
    picture = _picture(size)
    started = time.perf_counter()
    generate(picture)
    return time.perf_counter() - started


def _throughput(generate: Generator, size: str, slots: int) -> float:
    pictures = [_picture(size)] * (slots * SLOTS_PICTURES)
    with ThreadPoolExecutor(slots) as pool:
        started = time.perf_counter()
        list(pool.map(generate, pictures))
        return len(pictures) / (time.perf_counter() - started)


def _profile(generate: native.NativeGenerator, size: str) -> dict[str, float]:
    with generate.scratches.borrow() as scratch:
        generate.draw_in(scratch, _picture(size), 1)
        return scratch.profile()


_QUESTIONS: dict[str, Callable[..., Any]] = {
    "seconds": _seconds,
    "throughput": _throughput,
    "profile": _profile,
}


Ask = Callable[..., Any]


@contextmanager
def _started(engine: Engine) -> Iterator[Ask]:
    """Run the engine's process; questions are asked by calling."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    os.environ["OPENBLAS_NUM_THREADS"] = str(engine.threads)  # Read when numpy is loaded.
    process = context.Process(target=_serve, args=(engine, there), daemon=True)
    process.start()

    def ask(*question: Any) -> Any:
        here.send(question)
        return here.recv()

    try:
        yield ask
    finally:
        process.terminate()
        process.join()


def _measure(
    engines: dict[Engine, Ask], sizes: list[str], rounds: int
) -> dict[tuple[Any, ...], list[Any]]:
    """Ask everything once a round, after one round that warms up; return all answers."""
    found: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for number in range(-1, rounds):
        for engine, ask in engines.items():
            for size in sizes if engine.runtime != "sgemm" else [""]:
                found["seconds", engine, size].append(ask("seconds", size))
            if engine.runtime != "sgemm" and engine.threads == 1:
                question = ("throughput", SLOTS_SIZE, SLOTS)
                found["throughput", engine].append(ask(*question))
            if engine.runtime not in {"sgemm", "tensorflow"} and engine.threads == 1:
                found["profile", engine].append(ask("profile", PROFILED))
        if number < 0:
            found.clear()
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def _report(found: dict[tuple[Any, ...], list[Any]], variants: list[str], sizes: list[str]) -> None:
    def seconds(runtime: str, threads: int, size: str) -> float:
        return float(median(found["seconds", Engine(runtime, threads), size]))

    _row("size", "threads", "TensorFlow, s", *(f"{name}, s | times" for name in variants))
    _row(*["---"] * (3 + 2 * len(variants)))
    for size in sizes:
        for threads in (1, 2):
            slow = seconds("tensorflow", threads, size)
            cells = [seconds(name, threads, size) for name in variants]
            _row(size, threads, f"{slow:.3f}", *(f"{s:.3f} | {slow / s:.2f}" for s in cells))

    print(f"\nTwo slots of one thread, pictures of {SLOTS_SIZE} a second:\n")
    _row("TensorFlow", *(f"{name} | times" for name in variants))
    _row(*["---"] * (1 + 2 * len(variants)))
    slow = float(median(found["throughput", Engine("tensorflow", 1)]))
    rates = [float(median(found["throughput", Engine(name, 1)])) for name in variants]
    _row(f"{slow:.2f}", *(f"{rate:.2f} | {rate / slow:.2f}" for rate in rates))

    print(
        "\nShare of the limit that numpy's sgemm sets, 7×7 layers counted directly | as computed:\n"
    )
    _row("size", "threads", "sgemm, GFLOP/s", *(f"{name} | as computed" for name in variants))
    _row(*["---"] * (3 + 2 * len(variants)))
    for size in sizes:
        pixels = np.prod([int(side) for side in size.split("x")])
        for threads in (1, 2):
            limit = 2 * GEMM_SIDE**3 / seconds("sgemm", threads, "")
            shares = [
                2 * multiplications(of_seven) * pixels / seconds(name, threads, size) / limit
                for name in variants
                for of_seven in (1, 10 / 28)
            ]
            _row(size, threads, f"{limit / 1e9:.0f}", *(f"{share:.0%}" for share in shares))

    print(f"\nWhere the time goes at {PROFILED} on one thread, ms:\n")
    _row("stage", *variants)
    _row(*["---"] * (1 + len(variants)))
    profiles = [found["profile", Engine(name, 1)] for name in variants]
    for stage in profiles[0][0]:
        _row(stage, *(f"{1e3 * median(p[stage] for p in profile):.1f}" for profile in profiles))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", metavar="SIZE", help=f"default: {' '.join(SIZES)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--variants", nargs="+", default=[native.pick()], metavar="NAME")
    arguments = parser.parse_args()
    sizes = arguments.sizes or list(SIZES)
    runtimes = [*arguments.variants, "tensorflow", "sgemm"]
    engines: dict[Engine, Ask] = {}
    with ExitStack() as stack:
        for runtime in runtimes:
            for threads in (1, 2):
                engine = Engine(runtime, threads)
                engines[engine] = stack.enter_context(_started(engine))
        found = _measure(engines, sizes, arguments.rounds)
    date = time.strftime("%Y-%m-%d")
    print(f"{date}, {describe()}, medians of {arguments.rounds} interleaved rounds.\n")
    _report(found, arguments.variants, sizes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
