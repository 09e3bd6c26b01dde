"""Start-up stages: CPU time and memory of each step of a replica's start.

    .venv/bin/python -m benchmarks.startup_stages [--rounds N] [--model MODEL]

The steps of the arbiter, the worker and the launcher of codec processes run one after the other, in
a process for each of the three and round. The script prints the least CPU time of the rounds, which
other load hardly changes, and the median memory, as a Markdown table.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.host import describe_host
from tests.support.repo import environment

Step = tuple[str, Callable[[], object]]
"""Name of a step, and what it does."""

Cost = tuple[float, int, int]
"""CPU time in seconds, bytes of anonymous memory, and resident bytes of files."""


def importing(*modules: str) -> Callable[[], object]:
    """Return a function that imports modules."""
    return lambda: [import_module(name) for name in modules]


def arbiter_steps(model: str) -> Iterator[Step]:
    """Yield the steps until the fork."""
    yield "imports: settings, checksums", importing("dctnet.cli.serve", "dctnet.model_loading")
    yield (
        "imports: Gunicorn",
        importing("dctnet.server.gunicorn_app", "dctnet.server.worker_process"),
    )
    yield "verifying the model", lambda: find(model)


def worker_steps(model: str) -> Iterator[Step]:
    """Yield the steps after the fork."""
    found = find(model)
    importing("dctnet.server.worker_process")()
    import_module("dctnet.malloc").limit_retained_memory()
    gc.disable()
    yield "imports: NumPy", importing("numpy")
    yield "imports: OpenCV", importing("cv2")
    yield "imports: Pillow", importing("PIL.Image", "PIL.ImageCms", "PIL.PngImagePlugin")
    yield "imports: prometheus_client", importing("prometheus_client")
    yield "imports: dctnet", importing("dctnet.replica", "dctnet.runtimes.native")
    yield "imports: ONNX Runtime", importing("dctnet.runtimes.onnxruntime")
    yield "imports: Flask, and the rest", importing("dctnet.server.worker", "dctnet.app")

    from dctnet.app import create_app
    from dctnet.engine import Engine, read_alpha
    from dctnet.models.folder import ALPHA
    from dctnet.models.self_test import GoldenPair
    from dctnet.replica import Replica
    from dctnet.runtimes import Networks, native, onnxruntime

    settings, (folder,) = settings_of(model), found.models.values()
    files, loaded = folder.files, dict[str, Any]()
    threads = max(1, int(settings.cpus))

    def load(name: str, loader: Callable[..., object], file: str) -> Callable[[], object]:
        return lambda: loaded.update({name: loader(files[file], threads)})

    yield "creating the application", lambda: create_app(Replica(settings, found))
    yield "loading the generator", load("generator", native.generator, "cartoon_bg.npz")
    yield "loading the detector", load("detector", onnxruntime.detector, "detector.onnx")
    yield "loading the landmarks", load("landmarks", onnxruntime.landmarker, "keypoints.onnx")
    generator = loaded["generator"]
    networks = Networks(generator, generator, loaded["detector"], loaded["landmarks"])
    engine = Engine(networks, read_alpha(files[ALPHA]), settings.max_working_side)
    pair = GoldenPair.read(files)
    assert pair is not None, f"{model} has no golden pair."
    yield "taking and freeing a slot's memory", lambda: engine.require_memory(1)
    yield "self-test of the first slot", lambda: engine.cartoonize(pair.image)
    yield "self-test of each further slot", lambda: engine.cartoonize(pair.image)
    yield "timing of a slot", lambda: engine.time_background(pair.image)


def launcher_steps(_: str) -> Iterator[Step]:
    """Yield the steps of the launcher."""
    yield "imports: NumPy", importing("numpy")
    yield "imports: OpenCV", importing("cv2")
    yield "imports: Pillow", importing("PIL.Image", "PIL.ImageCms", "PIL.PngImagePlugin")
    yield "imports: dctnet", importing("dctnet.codecs.launcher")


PROCESSES = {"arbiter": arbiter_steps, "worker": worker_steps, "launcher": launcher_steps}


def settings_of(model: str) -> Any:
    """Return the settings of a replica with one style."""
    from dctnet.config import Settings

    return Settings.from_environment({"DCTNET_STYLES": model})


def find(model: str) -> Any:
    """Return the verified model."""
    from dctnet.model_loading import find_models

    return find_models(settings_of(model))


def memory() -> tuple[int, int]:
    """Return the bytes of anonymous memory, and the resident bytes of files, of this process."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    sizes = {
        name: int(size.split()[0]) * 1024 for name, _, size in (x.partition(":") for x in lines)
    }
    return sizes["Anonymous"], sizes["Rss"] - sizes["Anonymous"]


def measure(process: str, model: str) -> dict[str, Cost]:
    """Run the steps of a process in this one, and return their costs."""
    costs: dict[str, Cost] = {}
    steps = PROCESSES[process](model)
    while True:
        step = next(steps, None)  # What is between the steps does not count.
        if step is None:
            return costs
        name, run = step
        anonymous, files = memory()
        started = time.process_time()
        run()
        seconds = time.process_time() - started
        after = memory()
        costs[name] = seconds, after[0] - anonymous, after[1] - files


def measure_apart(process: str, model: str) -> dict[str, Cost]:
    """Return the costs of a process's steps, run in a new process."""
    command = [sys.executable, "-m", "benchmarks.startup_stages", "--process", process]
    ended = subprocess.run(
        [*command, "--model", model],
        env=environment(OPENBLAS_NUM_THREADS=1, PYTHONDONTWRITEBYTECODE=""),
        capture_output=True,
        check=True,
    )
    costs: dict[str, Cost] = json.loads(ended.stdout)
    return costs


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds; default: 9")
    parser.add_argument("--model", default="comic", help="converted style; default: comic")
    parser.add_argument("--process", choices=PROCESSES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.process:
        json.dump(measure(arguments.process, arguments.model), sys.stdout)
        sys.stdout.flush()
        os._exit(0)
    print(f"{time.strftime('%Y-%m-%d')}, {describe_host()}, {arguments.rounds} rounds.\n")
    print("| process | step | CPU time, ms | memory, MB | of libraries and files, MB |")
    print("|---|---|---|---|---|")
    for process in PROCESSES:
        rounds = [measure_apart(process, arguments.model) for _ in range(arguments.rounds)]
        for step in rounds[0]:
            seconds, anonymous, files = zip(*(costs[step] for costs in rounds), strict=True)
            cells = (
                *(process, step, f"{1000 * min(seconds):.0f}"),
                *(f"{median(sizes) / 1e6:.1f}" for sizes in (anonymous, files)),
            )
            print("| " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
