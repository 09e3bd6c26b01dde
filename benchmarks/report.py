"""Page and plot of the generator benchmark."""

import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape, quoteattr

from benchmarks.engines import multiplications_per_pixel, pixels
from benchmarks.host import describe_host

Measurements = dict[tuple[object, ...], list[float]]
"""Measured values by figure, engine, threads and size."""

THREADS = (1, 2)
COMMAND = """\
<!-- not run: takes a quarter of an hour -->
```sh
.venv/bin/python -m benchmarks.generator {arguments}
```"""

HOST_NOTE = """\
Measured on {date}: {machine}.

Medians of {rounds} interleaved rounds, after one warm-up round. Each engine runs in its own process
per number of threads. TensorFlow disables oneDNN by default on AMD CPUs: the last engine here."""

AVX2_NOTE = """\
Limited to AVX2: oneDNN by `ONEDNN_MAX_CPU_ISA`, OpenVINO's other kernels by `OV_CPU_MAX_ISA`,
numpy's OpenBLAS by `OPENBLAS_CORETYPE`, the native runtime by its variant. ONNX Runtime cannot be
limited, and uses AVX-512 if the CPU has it."""

OPTIONAL_ENGINES = {"MNN": "MNN", "OpenVINO": "--no-deps openvino"}
"""What `pip install` needs for the engines that no lock file contains."""

MISSING_NOTE = """\
{name} was not measured: no lock file contains it. `.venv/bin/pip install {package}` installs it."""

INSTALLED_NOTE = """\
{name} {version} was installed in addition to the lock files."""

INSTRUCTION_SETS_NOTE = """\
Instruction set as the engine reports it: the native runtime's variant, or oneDNN's names of the
convolution kernels. Difference from TensorFlow with oneDNN for an image of noise, {size}, in levels
of 255. Only OpenVINO's default precision may differ by more than one level."""

LIMIT_NOTE = """\
Arithmetic throughput relative to numpy's `sgemm` of 2048³ with the same number of threads. 7×7
layers count as direct convolutions, or by the operations that are computed. Instruction set of
`sgemm`: {sgemm}."""

POLICY_NOTE = """\
A generator with two threads gives both to a single call, and one to each of two concurrent calls.
Speed of the single call relative to a call with two fixed threads, and throughput of the concurrent
calls relative to two calls with one fixed thread each:"""

COSTS_NOTE = """\
Load time from an interpreter with numpy to a loaded generator, imports included. Resident memory
after loading, and peak memory with two concurrent calls and the largest images."""

OPENVINO_COSTS_NOTE = """\
OpenVINO compiles a model per slot and size at its first image. The load time excludes that, and the
peak memory has the models of all sizes."""

BAR, GAP, LEFT, WIDTH = 18, 14, 230, 760


def share_of_limit(
    seconds: float, size: str, flops: float, seven_by_seven_share: float = 1.0
) -> float:
    """Return the arithmetic throughput of an image relative to `flops` per second."""
    return 2 * multiplications_per_pixel(seven_by_seven_share) * pixels(size) / seconds / flops


def bar_chart_svg(values: Sequence[tuple[str, float]], title: str, unit: str) -> str:
    """Return a bar chart as SVG, with one horizontal bar per label."""
    height = GAP + 24 + len(values) * (BAR + GAP)
    most = max(value for _, value in values)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="sans-serif" font-size="13" role="img" aria-label={quoteattr(title)}>'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{GAP}" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (label, value) in enumerate(values):
        y = 24 + GAP + number * (BAR + GAP)
        length = (WIDTH - LEFT - 90) * value / most
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="#4c72b0"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{y + 13}">{value:.2f} {unit}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])


def plot(
    path: Path, measurements: Measurements, engines: Sequence[str], sizes: Sequence[str]
) -> None:
    """Write the chart of the largest size with two threads."""
    size = sizes[-1]
    values = [(name, median(measurements["seconds", name, 2, size])) for name in engines]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bar_chart_svg(values, f"Seconds per image of {_times(size)}, two threads", "s"))


def write(
    path: Path,
    measurements: Measurements,
    instruction_sets: Mapping[str, str],
    sizes: Sequence[str],
    arguments: Sequence[str],
) -> None:
    """Write the page of the measurements; `instruction_sets` has the engines and `sgemm`."""
    engines = [name for name in instruction_sets if name != "sgemm"]
    native = [name for name in engines if name.startswith("native")]
    rounds = len(measurements["sgemm", 1])
    facts = {"date": time.strftime("%Y-%m-%d"), "machine": describe_host(), "rounds": rounds}
    largest = _times(sizes[-1])
    parts = [
        "# Generator benchmark",
        "Generated by:",
        COMMAND.format(arguments=shlex.join(arguments)),
        HOST_NOTE.format_map(facts),
        *([AVX2_NOTE] if "--avx2" in arguments else []),
        *(_optional(engines, name) for name in OPTIONAL_ENGINES),
        f"![Seconds per image](images/{path.stem}.svg)",
        "## Latency, seconds per image",
        _latencies(measurements, engines, sizes),
        f"Seconds of the other engines relative to {engines[0]}:",
        _ratios(measurements, engines, sizes),
        "## Throughput of two single-threaded slots, images per second",
        _throughputs(measurements, engines, native, sizes),
        "## Instruction sets and precision",
        INSTRUCTION_SETS_NOTE.format(size=_times(sizes[0])),
        _instruction_sets(measurements, engines, instruction_sets),
        "## Share of peak arithmetic throughput",
        LIMIT_NOTE.format(sgemm=instruction_sets["sgemm"]),
        _shares(measurements, native, sizes),
        "## Thread policy",
        POLICY_NOTE,
        _policy(measurements, native, sizes),
        "## Load time and memory",
        COSTS_NOTE,
        *([OPENVINO_COSTS_NOTE] if _includes(engines, "OpenVINO") else []),
        _costs(measurements, engines),
        f"## Profile at {largest}, one thread, ms",
        _profile(measurements, native),
    ]
    path.write_text("\n\n".join(parts) + "\n")


def _includes(engines: Sequence[str], library: str) -> bool:
    return any(name.startswith(library) for name in engines)


def _optional(engines: Sequence[str], name: str) -> str:
    if _includes(engines, name):
        return INSTALLED_NOTE.format(name=name, version=version(name))
    return MISSING_NOTE.format(name=name, package=OPTIONAL_ENGINES[name])


def _seconds(measurements: Measurements, name: str, threads: int, size: str) -> float:
    return median(measurements["seconds", name, threads, size])


def _each(sizes: Sequence[str]) -> list[tuple[str, int]]:
    return [(size, threads) for size in sizes for threads in THREADS]


def _latencies(measurements: Measurements, engines: Sequence[str], sizes: Sequence[str]) -> str:
    rows = [
        [
            _times(size),
            threads,
            *(f"{_seconds(measurements, name, threads, size):.3f}" for name in engines),
        ]
        for size, threads in _each(sizes)
    ]
    return table(["size", "threads", *engines], rows)


def _ratios(measurements: Measurements, engines: Sequence[str], sizes: Sequence[str]) -> str:
    rows = []
    for size, threads in _each(sizes):
        first, *others = (_seconds(measurements, name, threads, size) for name in engines)
        rows.append([_times(size), threads, *(f"{seconds / first:.2f}" for seconds in others)])
    return table(["size", "threads", *engines[1:]], rows)


def _throughputs(
    measurements: Measurements, engines: Sequence[str], native: Sequence[str], sizes: Sequence[str]
) -> str:
    tuned = next(name for name in engines if name.startswith("TensorFlow"))
    rows = []
    for size in sizes:
        rates = {name: median(measurements["two slots", name, size]) for name in engines}
        times = (f"{rates[name] / rates[tuned]:.2f}" for name in native)
        rows.append([_times(size), *(f"{rate:.2f}" for rate in rates.values()), *times])
    return table(["size", *engines, *(f"{name} / {tuned}" for name in native)], rows)


def _instruction_sets(
    measurements: Measurements, engines: Sequence[str], instruction_sets: Mapping[str, str]
) -> str:
    rows = []
    for name in engines:
        beyond, levels = (
            max(measurements[of, name, threads][0] for threads in THREADS)
            for of in ("beyond a level", "levels")
        )
        rows.append([name, instruction_sets[name], f"{beyond:.2%}", f"{levels:g}"])
    head = ["engine", "instruction set", "values beyond one level", "largest difference, levels"]
    return table(head, rows)


def _shares(measurements: Measurements, native: Sequence[str], sizes: Sequence[str]) -> str:
    rows = []
    for size, threads in _each(sizes):
        limit = median(measurements["sgemm", threads])
        shares = [
            share_of_limit(
                _seconds(measurements, name, threads, size), size, limit, seven_by_seven_share
            )
            for name in native
            for seven_by_seven_share in (1.0, 10 / 28)
        ]
        rows.append([_times(size), threads, f"{limit / 1e9:.0f}", *(f"{s:.0%}" for s in shares)])
    counted = [f"{name}, {how}" for name in native for how in ("direct", "as computed")]
    return table(["size", "threads", "sgemm, GFLOP/s", *counted], rows)


def _policy(measurements: Measurements, native: Sequence[str], sizes: Sequence[str]) -> str:
    rows = [
        [
            name,
            _times(size),
            *(f"{median(measurements[of, name, size]):.1%}" for of in ("lone", "crowd")),
        ]
        for name in native
        for size in sizes
    ]
    return table(["engine", "size", "single call", "two concurrent calls"], rows)


def _costs(measurements: Measurements, engines: Sequence[str]) -> str:
    rows = []
    for name in engines:
        for threads in THREADS:
            load, *memory = (
                median(measurements[of, name, threads]) for of in ("load", "loaded", "peak")
            )
            rows.append([name, threads, f"{load:.2f}", *(f"{size / 1e6:.0f}" for size in memory)])
    return table(["engine", "threads", "load, s", "loaded, MB", "peak, MB"], rows)


def _profile(measurements: Measurements, native: Sequence[str]) -> str:
    stages = dict.fromkeys(str(key[2]) for key in measurements if key[0] == "profile")
    rows = [
        [stage, *(f"{1e3 * median(measurements['profile', name, stage]):.1f}" for name in native)]
        for stage in stages
    ]
    return table(["stage", *native], rows)


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _times(size: str) -> str:
    return size.replace("x", "×")
