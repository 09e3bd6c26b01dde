"""Generator benchmark: all engines of this machine in one run.

    .venv/bin/python -m benchmarks.generator [--avx2] [--page DIR/PAGE.md]

Each engine runs in an isolated process, because TensorFlow shares its threads among all sessions
of a process. Each must produce the output of TensorFlow. Rounds are interleaved; the script writes
the page of medians and its plot. `--avx2` limits all engines but ONNX Runtime, which has no such
setting, to AVX2. MNN is measured if it is installed.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import mnn
from benchmarks.engines import Engine, Sgemm
from benchmarks.isolated import IsolatedObject, spawn_object
from benchmarks.report import Measurements, plot, write
from dctnet.conversion.comparison import MAX_LEVEL_DIFFERENCE
from dctnet.models.folder import SHIPPED_COMMON
from dctnet.runtimes import native
from dctnet.runtimes.native import NativeError
from tests.support.shipped import COMIC

Engines = dict[tuple[str, int], IsolatedObject]
"""Engines by name and number of threads."""

REFERENCE = "TensorFlow with oneDNN"
SIZES = ("288x288", "512x512", "720x960")
THREADS = (1, 2)
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
"""Variables that limit TensorFlow's oneDNN and numpy's OpenBLAS to AVX2."""


@dataclass(frozen=True)
class EngineSpec:
    """How to start an engine."""

    name: str
    runtime: str
    path: Path
    one_dnn: str = "1"


def available_engines(folder: Path, variants: Iterable[str]) -> Iterator[EngineSpec]:
    """Yield the available engines; `folder` has the shipped comic in every format."""
    for variant in variants:
        try:
            native.library(variant)
        except NativeError as error:
            print(f"{variant} is skipped: {error}", file=sys.stderr)
        else:
            yield EngineSpec(f"native {variant}", variant, folder / "cartoon_bg.npz")
    yield EngineSpec("ONNX Runtime", "onnxruntime", folder / "cartoon_bg.onnx")
    if mnn.is_installed():
        yield EngineSpec("MNN", "mnn", folder / "cartoon_bg.mnn")
    yield EngineSpec(REFERENCE, "tensorflow", folder / "cartoon_bg.pb")
    # oneDNN is off by default on AMD CPUs.
    yield EngineSpec("TensorFlow without oneDNN", "tensorflow", folder / "cartoon_bg.pb", "0")


def require_same_output(engines: Engines, size: str) -> None:
    """Exit if the output of an engine differs from TensorFlow's."""
    wanted = engines[REFERENCE, 1]("generate", size).astype(np.float32)
    for (name, threads), engine in engines.items():
        levels = np.abs(engine("generate", size) - wanted).max()
        if levels > MAX_LEVEL_DIFFERENCE:
            sys.exit(f"{name}, {threads} threads: {levels:g} levels from TensorFlow's image.")


def measure_sgemm(limits: dict[int, IsolatedObject], measurements: Measurements) -> None:
    """Measure SGEMM once."""
    for threads, limit in limits.items():
        measurements["sgemm", threads].append(limit("rate"))


def measure_engines(engines: Engines, sizes: list[str], measurements: Measurements) -> None:
    """Measure latency of each engine, and throughput of two single-threaded slots."""
    for (name, threads), engine in engines.items():
        for size in sizes:
            measurements["seconds", name, threads, size].append(engine("seconds", size))
            if threads == 1:
                measurements["two slots", name, size].append(engine("rate", size, 2))


def measure_native(engines: Engines, sizes: list[str], measurements: Measurements) -> None:
    """Measure profile and thread policy of the native runtime."""
    for (name, threads), engine in engines.items():
        if not name.startswith("native"):
            continue
        if threads == 1:
            for stage, seconds in engine("profile", sizes[-1]).items():
                measurements["profile", name, stage].append(seconds)
            continue
        for size in sizes:
            lone, crowd = engine("thread_policy", size, threads)
            measurements["lone", name, size].append(lone)
            measurements["crowd", name, size].append(crowd)


def measure(
    engines: Engines, limits: dict[int, IsolatedObject], sizes: list[str], rounds: int
) -> Measurements:
    """Measure everything once per round, after one warm-up round."""
    measurements: Measurements = defaultdict(list)
    for number in range(-1, rounds):
        if number == 0:
            measurements.clear()
        measure_sgemm(limits, measurements)
        measure_engines(engines, sizes, measurements)
        measure_native(engines, sizes, measurements)
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    for (name, threads), engine in engines.items():
        for figure, value in engine("costs").items():
            measurements[figure, name, threads].append(value)
    return measurements


def run(folder: Path, arguments: argparse.Namespace) -> None:
    """Start the engines, measure, and write the page."""
    variants = native.VARIANTS[platform.machine()]
    names = list(available_engines(folder, variants[-1:] if arguments.avx2 else variants))
    environment = AVX2 if arguments.avx2 else {}
    with ExitStack() as stack:
        limits = {
            threads: stack.enter_context(
                # numpy reads it when it is loaded.
                spawn_object(
                    Sgemm, environment=environment | {"OPENBLAS_NUM_THREADS": str(threads)}
                )
            )
            for threads in THREADS
        }
        engines = {
            (spec.name, threads): stack.enter_context(
                spawn_object(
                    Engine,
                    spec.runtime,
                    spec.path,
                    threads,
                    environment=environment | {"TF_ENABLE_ONEDNN_OPTS": spec.one_dnn},
                )
            )
            for spec in names
            for threads in THREADS
        }
        require_same_output(engines, arguments.sizes[0])
        measurements = measure(engines, limits, arguments.sizes, arguments.rounds)
    labels, sizes = [spec.name for spec in names], arguments.sizes
    page: Path = arguments.page
    plot(page.parent / f"images/{page.stem}.svg", measurements, labels, sizes)
    write(page, measurements, labels, sizes, sys.argv[1:])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--avx2", action="store_true", help="limit the engines to AVX2")
    parser.add_argument(
        "--sizes", nargs="+", default=list(SIZES), metavar="SIZE", help="HEIGHTxWIDTH"
    )
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds; default: 9")
    parser.add_argument(
        "--page", type=Path, default=Path("docs/generator-benchmark.md"), help="page to write"
    )
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        # In a separate process, because it loads TensorFlow.
        command = [sys.executable, "-m", "shipped_styles.upstream", f"{folder}/demo"]
        subprocess.run(command, env=os.environ | {"PYTHONPATH": "service"}, check=True)
        demo = Path(folder) / "demo"
        # ONNX Runtime reads the weights beside the graph, which the styles share.
        for path in (COMIC / "cartoon_bg.npz", SHIPPED_COMMON / "cartoon_bg.onnx"):
            shutil.copy(path, demo)
        if mnn.is_installed():
            graph, converted = demo / "cartoon_bg.pb", demo / "cartoon_bg.mnn"
            command = [sys.executable, "-m", "benchmarks.mnn", str(graph), str(converted)]
            subprocess.run(command, check=True)
        run(demo, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
