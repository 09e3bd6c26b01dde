"""The page of the generators' figures, and its plot."""

import shlex
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape, quoteattr

from benchmarks.engines import multiplications_per_pixel, pixels
from benchmarks.host import describe_host

Measurements = dict[tuple[object, ...], list[float]]
"""All answers, by what was asked of whom."""

THREADS = (1, 2)
COMMAND = """\
<!-- not run: takes a quarter of an hour -->
```sh
.venv/bin/python -m benchmarks.generator {arguments}
```"""

HOST_NOTE = """\
Measured on {date}: {machine}.

Medians of {rounds} interleaved rounds, after one that warms up. Every engine with each number of
threads is a process of its own. TensorFlow as it is installed has oneDNN off on CPUs of AMD:
the last engine here."""

AVX2_NOTE = """\
Held to AVX2, whatever the CPU has: oneDNN by `ONEDNN_MAX_CPU_ISA`, numpy's OpenBLAS by
`OPENBLAS_CORETYPE`, the native runtime by its variant. ONNX Runtime cannot be held, and takes
AVX-512 where there is such."""

MNN_MISSING_NOTE = """\
MNN was not measured, for no lock file has it; `.venv/bin/pip install MNN` adds it."""

MNN_NOTE = """\
MNN {version} was installed beside the lock files."""

LIMIT_NOTE = """\
The reduced arithmetic, 7×7 layers counted directly and as they are computed, beside numpy's
`sgemm` of 2048³ with as many threads."""

POLICY_NOTE = """\
A generator of two threads gives a lone call both, and each of two callers one. The speed of the one
as a share of a call that is told to take two, and the throughput of the others as a share of two
that are told to take one:"""

COSTS_NOTE = """\
Seconds from an interpreter with numpy to a generator that is loaded, the engine's imports included;
resident MB then, and at most, with two callers and the largest images."""

BAR, GAP, LEFT, WIDTH = 18, 14, 230, 760


def share_of_limit(
    seconds: float, size: str, flops: float, seven_by_seven_share: float = 1.0
) -> float:
    """Return how fast the reduced arithmetic of an image goes, as a share of `flops` a second."""
    return 2 * multiplications_per_pixel(seven_by_seven_share) * pixels(size) / seconds / flops


def bar_chart_svg(values: Sequence[tuple[str, float]], title: str, unit: str) -> str:
    """Draw a bar chart as SVG, a bar from the top for each label; text takes the page's colour."""
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
    """Write a chart of the largest images on two threads."""
    size = sizes[-1]
    values = [(name, median(measurements["seconds", name, 2, size])) for name in engines]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bar_chart_svg(values, f"Seconds an image of {_times(size)}, two threads", "s"))


def write(
    path: Path,
    measurements: Measurements,
    engines: Sequence[str],
    sizes: Sequence[str],
    arguments: Sequence[str],
) -> None:
    """Write the page of what was measured with these arguments."""
    native = [name for name in engines if name.startswith("native")]
    rounds = len(measurements["sgemm", 1])
    facts = {"date": time.strftime("%Y-%m-%d"), "machine": describe_host(), "rounds": rounds}
    largest = _times(sizes[-1])
    parts = [
        "# The generator, measured",
        "The script that measures writes this page:",
        COMMAND.format(arguments=shlex.join(arguments)),
        HOST_NOTE.format_map(facts),
        *([AVX2_NOTE] if "--avx2" in arguments else []),
        _mnn(engines),
        f"![Seconds an image](images/{path.stem}.svg)",
        "## Seconds an image",
        _latencies(measurements, engines, sizes),
        "How many times as fast the native runtime is as TensorFlow:",
        _times_as_fast(measurements, engines, native, sizes),
        "## Two slots of one thread each, images a second",
        _throughputs(measurements, engines, native, sizes),
        "## Share of the limit",
        LIMIT_NOTE,
        _shares(measurements, native, sizes),
        "## Threads, call by call",
        POLICY_NOTE,
        _policy(measurements, native, sizes),
        "## Loading and memory",
        COSTS_NOTE,
        _costs(measurements, engines),
        f"## Where the time goes at {largest}, one thread, ms",
        _profile(measurements, native),
    ]
    path.write_text("\n\n".join(parts) + "\n")


def _mnn(engines: Sequence[str]) -> str:
    return MNN_NOTE.format(version=version("MNN")) if "MNN" in engines else MNN_MISSING_NOTE


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


def _times_as_fast(
    measurements: Measurements, engines: Sequence[str], native: Sequence[str], sizes: Sequence[str]
) -> str:
    pairs = [(name, slow) for name in native for slow in engines if slow.startswith("TensorFlow")]
    rows = []
    for size, threads in _each(sizes):
        took = {name: _seconds(measurements, name, threads, size) for name in engines}
        rows.append([_times(size), threads, *(f"{took[b] / took[a]:.2f}" for a, b in pairs)])
    return table(["size", "threads", *(f"{name}, {slow}" for name, slow in pairs)], rows)


def _throughputs(
    measurements: Measurements, engines: Sequence[str], native: Sequence[str], sizes: Sequence[str]
) -> str:
    tuned = next(name for name in engines if name.startswith("TensorFlow"))
    rows = []
    for size in sizes:
        rates = {name: median(measurements["two slots", name, size]) for name in engines}
        times = (f"{rates[name] / rates[tuned]:.2f}" for name in native)
        rows.append([_times(size), *(f"{rate:.2f}" for rate in rates.values()), *times])
    return table(["size", *engines, *(f"{name}, times {tuned}" for name in native)], rows)


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
    counted = [f"{name}, {how}" for name in native for how in ("directly", "as computed")]
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
    return table(["engine", "size", "lone call", "two callers"], rows)


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
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _times(size: str) -> str:
    return size.replace("x", "×")
