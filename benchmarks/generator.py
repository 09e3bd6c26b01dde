"""Generator benchmark: all engines of this machine in one run.

    .venv/bin/python -m benchmarks.generator [--avx2] [--before CHECKOUT] [--page DIR/PAGE.md]

Each engine runs in an isolated process, because TensorFlow shares its threads among all sessions
of a process. Each must produce the output of TensorFlow, except at OpenVINO's default precision.
Rounds are interleaved; the script writes the page of medians and its plot. `--avx2` limits all
engines but ONNX Runtime, which has no such setting, to AVX2. MNN and OpenVINO are measured if they
are installed. `--before` adds the fastest native variant of another checkout, which is built.
"""

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.engines import Engine, Sgemm
from benchmarks.instruction_sets import engine_instruction_set, sgemm_instruction_set
from benchmarks.isolated import IsolatedObject, spawn_object
from benchmarks.report import Measurements, plot, write
from dctnet.conversion.comparison import MAX_LEVEL_DIFFERENCE
from dctnet.models.folder import SHIPPED_COMMON
from dctnet.runtimes import native_library
from dctnet.runtimes.native_library import NativeError
from tests.support.shipped import COMIC

Engines = dict[tuple[str, int], IsolatedObject]
"""Engines by name and number of threads."""

REFERENCE = "TensorFlow with oneDNN"
DEFAULT_PRECISION = "OpenVINO default precision"
"""Engine whose precision, and so its output, depends on the CPU."""

SIZES = ("288x288", "512x512", "720x960")
THREADS = (1, 2)
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "OV_CPU_MAX_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
"""Variables that limit oneDNN, OpenVINO's own kernels and numpy's OpenBLAS to AVX2.

OpenVINO fails if only its oneDNN is limited.
"""


@dataclass(frozen=True)
class EngineSpec:
    """How to start an engine."""

    name: str
    runtime: str
    path: Path
    one_dnn: str = "1"
    checkout: Path | None = None
    """Checkout of its code, if it is not this one."""

    def environment(self, limits: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of its processes."""
        return {**limits, "TF_ENABLE_ONEDNN_OPTS": self.one_dnn}

    @property
    def import_paths(self) -> list[str]:
        """Folders that its processes import from first."""
        return [f"{self.checkout / 'service'}", f"{self.checkout}"] if self.checkout else []

    def instruction_set(self, limits: Mapping[str, str]) -> str:
        """Return the instruction set or the kernels that it reports."""
        if self.name.startswith("native"):
            return self.runtime
        return engine_instruction_set(self.runtime, self.path, self.environment(limits))


def is_installed(package: str) -> bool:
    """Return whether a package that no lock file contains is installed."""
    return importlib.util.find_spec(package) is not None


def available_engines(
    folder: Path, variants: Iterable[str], before: Path | None = None
) -> Iterator[EngineSpec]:
    """Yield the available engines; `folder` has the shipped comic in every format.

    The fastest native variant comes from the checkout `before`, too.
    """
    for variant in variants:
        try:
            native_library.library(variant)
        except NativeError as error:
            print(f"{variant} is skipped: {error}", file=sys.stderr)
        else:
            weights = folder / "cartoon_bg.npz"
            yield EngineSpec(f"native {variant}", variant, weights)
            if before:
                yield EngineSpec(f"native {variant} before", variant, weights, checkout=before)
                before = None
    yield EngineSpec("ONNX Runtime", "onnxruntime", folder / "cartoon_bg.onnx")
    if is_installed("MNN"):
        yield EngineSpec("MNN", "mnn", folder / "cartoon_bg.mnn")
    if is_installed("openvino"):
        yield EngineSpec("OpenVINO float32", "openvino-f32", folder / "cartoon_bg.pb")
        yield EngineSpec(DEFAULT_PRECISION, "openvino", folder / "cartoon_bg.pb")
    yield EngineSpec(REFERENCE, "tensorflow", folder / "cartoon_bg.pb")
    # oneDNN is off by default on AMD CPUs.
    yield EngineSpec("TensorFlow without oneDNN", "tensorflow", folder / "cartoon_bg.pb", "0")


def copy_converted(folder: Path) -> None:
    """Copy the shipped comic's weights and the ONNX graph, which the styles share, into a folder.

    ONNX Runtime reads the weights beside the graph.
    """
    for path in (COMIC / "cartoon_bg.npz", SHIPPED_COMMON / "cartoon_bg.onnx"):
        shutil.copy(path, folder)


def require_same_output(engines: Engines, size: str) -> Measurements:
    """Measure differences from TensorFlow's output; exit if one is too large.

    OpenVINO's default precision may differ by any amount.
    """
    wanted = engines[REFERENCE, 1]("generate", size).astype(np.float32)
    measurements: Measurements = {}
    for (name, threads), engine in engines.items():
        differences = np.abs(engine("generate", size) - wanted)
        levels = float(differences.max())
        if levels > MAX_LEVEL_DIFFERENCE and name != DEFAULT_PRECISION:
            sys.exit(f"{name}, {threads} threads: {levels:g} levels from TensorFlow's image.")
        measurements["levels", name, threads] = [levels]
        beyond = float((differences > MAX_LEVEL_DIFFERENCE).mean())
        measurements["beyond a level", name, threads] = [beyond]
    return measurements


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
    variants = native_library.VARIANTS[platform.machine()]
    variants = variants[-1:] if arguments.avx2 else variants
    names = list(available_engines(folder, variants, arguments.before))
    environment = AVX2 if arguments.avx2 else {}
    instruction_sets = {spec.name: spec.instruction_set(environment) for spec in names}
    instruction_sets["sgemm"] = sgemm_instruction_set(environment)
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
                    environment=spec.environment(environment),
                    paths=spec.import_paths,
                )
            )
            for spec in names
            for threads in THREADS
        }
        differences = require_same_output(engines, arguments.sizes[0])
        measurements = measure(engines, limits, arguments.sizes, arguments.rounds)
    measurements.update(differences)
    labels, sizes = [spec.name for spec in names], arguments.sizes
    page: Path = arguments.page
    plot(page.parent / f"images/{page.stem}.svg", measurements, labels, sizes)
    write(page, measurements, instruction_sets, sizes, sys.argv[1:])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--avx2", action="store_true", help="limit the engines to AVX2")
    parser.add_argument(
        "--before", type=Path, metavar="CHECKOUT", help="compare with the native runtime of this"
    )
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
        copy_converted(demo)
        if is_installed("MNN"):
            graph, converted = demo / "cartoon_bg.pb", demo / "cartoon_bg.mnn"
            command = [sys.executable, "-m", "benchmarks.mnn", str(graph), str(converted)]
            subprocess.run(command, check=True)
        run(demo, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
