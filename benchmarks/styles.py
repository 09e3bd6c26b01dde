"""Styles benchmark: a replica with seven styles, chosen at random, beside one with one style.

    .venv/bin/python -m benchmarks.styles [--rounds N] [--requests N]

The shipped styles, and four more with slightly changed weights. Clients send as fast as they get
responses, and every cartoon is compared with that of an engine in this process. Rounds alternate
between the two replicas; both have the default settings. Prints a Markdown table of medians.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import local

import numpy as np
import requests
from PIL import Image

from benchmarks.host import describe_host
from dctnet.arrays import Pixels
from dctnet.config import Settings
from dctnet.memory import hot_styles, memory_bound
from dctnet.model_loading import find_models, load_engines, network_threads
from dctnet.models import generator_weights, manifest
from dctnet.models.folder import GOLDEN_CHECKSUMS, GOLDEN_INPUT, GOLDEN_PAIR, SHIPPED_COMMON
from dctnet.models.self_test import GoldenPair, read_image
from dctnet.models.styles import SHIPPED_STYLES
from dctnet.units import MIB
from tests.support.process import Server, memory, serving
from tests.support.shipped import copy_shipped

CLIENTS = 50
IMAGES = 6
SIDE = 512
STYLES = 7
CHANGE = 0.01
"""Standard deviation of the change of a weight, relative to it."""


@dataclass(frozen=True)
class Round:
    """What one round measured."""

    throughput: float
    """Responses per second."""
    failed: int
    wrong: int
    """Cartoons that are not those of the engine."""


def styles(folder: Path) -> list[str]:
    """Write the changed styles; return the list of all."""
    random = np.random.default_rng(0)
    entries = list(SHIPPED_STYLES)
    for number in range(STYLES - len(entries)):
        style = SHIPPED_STYLES[number % len(SHIPPED_STYLES)]
        path = copy_shipped(folder / f"changed-{number}", style)
        weights = generator_weights.read(path / "cartoon_bg.npz")
        changed = {
            name: (array * random.normal(1, CHANGE, array.shape)).astype(np.float32)
            for name, array in weights.items()
        }
        generator_weights.write(path / "cartoon_bg.npz", changed)
        _describe(path, path.name)
        entries.append(str(path))
    return entries


def _describe(path: Path, style: str) -> None:
    """Write a manifest and a golden pair, which the engine itself draws."""
    described = manifest.decode((path / manifest.FILE_NAME).read_bytes(), path)
    files = {name: manifest.record_file(path / name) for name in described.files}
    manifest.write(path, replace(described, style=style, files=files))
    settings = Settings.from_environment({"DCTNET_STYLES": str(path)})
    (engine,) = load_engines(settings, find_models(settings))[0].values()
    portrait = read_image(path / GOLDEN_INPUT)
    GoldenPair(portrait, engine.cartoonize(portrait).image).write(path)
    records = {name: manifest.record_file(path / name) for name in GOLDEN_PAIR}
    (path / GOLDEN_CHECKSUMS).write_bytes(manifest.encode_records(records))


def measure(
    server: Server, names: list[str], expected: dict[tuple[str, int], Pixels], count: int, seed: int
) -> Round:
    """Send requests for styles at random."""
    random = np.random.default_rng(seed)
    bodies = [_encoded(image) for image in _images()]
    asked = [(names[k], i % IMAGES) for i, k in enumerate(random.integers(0, len(names), count))]
    sessions = local()

    def ask(style: str, index: int) -> tuple[bool, bool]:
        if not hasattr(sessions, "session"):
            sessions.session = requests.Session()
        url = f"{server.url}/v1/cartoons?style={style}"
        response = sessions.session.post(url, data=bodies[index], timeout=120)
        if response.status_code != 200 or response.headers["X-Dctnet-Style"] != style:
            return False, False
        cartoon = np.asarray(Image.open(BytesIO(response.content)))
        return True, bool(np.array_equal(cartoon, expected[style, index]))

    started = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        results = list(pool.map(lambda each: ask(*each), asked))
    seconds = time.monotonic() - started
    failed = sum(not ok for ok, _ in results)
    return Round(count / seconds, failed, sum(ok and not right for ok, right in results))


def _images() -> list[Pixels]:
    portrait = Image.open(SHIPPED_COMMON / GOLDEN_INPUT).convert("RGB").resize((SIDE, SIDE))
    return [np.roll(np.asarray(portrait), 31 * k, axis=1) for k in range(IMAGES)]


def _encoded(image: Pixels) -> bytes:
    with BytesIO() as file:
        Image.fromarray(image).save(file, "PNG")
        return file.getvalue()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=350, help="per round; default: 350")
    arguments = parser.parse_args()
    print(describe_host())
    with TemporaryDirectory() as folder:
        entries = styles(Path(folder))
        print(
            "| styles | responses/s | of one style's | failed | wrong | peak memory, MiB | bound |"
        )
        print("|---|---|---|---|---|---|---|")
        results: dict[int, list[Round]] = {1: [], STYLES: []}
        peaks, bounds = dict.fromkeys(results, 0), dict.fromkeys(results, 0)
        for turn in range(arguments.rounds):
            for number, rounds in results.items():
                listed = {"DCTNET_STYLES": ",".join(entries[:number])}
                settings = Settings.from_environment(listed)
                engines, _ = load_engines(settings, find_models(settings))
                expected = {
                    (style, index): engine.cartoonize(image).image
                    for style, engine in engines.items()
                    for index, image in enumerate(_images())
                }
                threads = network_threads(settings)
                hot = hot_styles(settings, threads, number, float("inf"))
                bounds[number] = memory_bound(settings, threads, styles=number, hot_styles=hot)
                with serving(Path(folder, "log"), **listed) as server:
                    round_ = measure(server, list(engines), expected, arguments.requests, turn)
                    peaks[number] = max(peaks[number], memory(server.worker(), "VmHWM"))
                rounds.append(round_)
        single = median(each.throughput for each in results[1])
        for number, rounds in results.items():
            throughput = median(each.throughput for each in rounds)
            print(
                f"| {number} | {throughput:.2f} | {throughput / single:.0%}"
                f" | {sum(each.failed for each in rounds)} | {sum(each.wrong for each in rounds)}"
                f" | {peaks[number] // MIB} | {bounds[number] // MIB} |"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
