"""Service overhead: throughput of the service compared with the bare engine.

    .venv/bin/python -m benchmarks.overhead [--rounds N] [--model MODEL]

Two slots cartoonize a 512×512 portrait with a face. Each round measures the engine in an isolated
process, from pixels to pixels, and the service under 50 clients, from JPEG to PNG. The clients run
on the same machine; their CPU usage is measured too.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import cv2
import numpy as np

from benchmarks.host import describe_host
from benchmarks.isolated import spawn_object
from dctnet import malloc
from dctnet.arrays import Pixels
from dctnet.config import Settings
from dctnet.conversion.trial_images import PHOTOS, read_photo
from dctnet.cpus import available_cpus
from dctnet.model_loading import load_engine
from loadtest import client
from loadtest.client import ClosedLoop, Plan
from loadtest.images import SourceImage
from tests.support.process import Server, serving

SIDE, SLOTS, CLIENTS = 512, 2, 50
QUALITY = 92


def portrait() -> SourceImage:
    """Return a JPEG portrait."""
    photo = cv2.resize(
        read_photo(PHOTOS / "astronaut.jpg"), (SIDE, SIDE), interpolation=cv2.INTER_AREA
    )
    swapped = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return SourceImage("portrait", data.tobytes(), "image/jpeg", SIDE, SIDE)


class BareEngine:
    """The engine without the service, configured as in a replica."""

    def __init__(self, model: str) -> None:
        malloc.limit_retained_memory()
        settings = Settings.from_environment({"DCTNET_STYLES": model})
        self._engine = load_engine(settings)
        self._engine.require_memory(SLOTS)

    def rate(self, pixels: Pixels, images: int) -> float:
        """Return the images per second of two threads."""
        with ThreadPoolExecutor(SLOTS) as pool:
            started = time.perf_counter()
            cartoons = list(pool.map(self._engine.cartoonize, [pixels] * images))
            seconds = time.perf_counter() - started
        assert all(cartoon.faces == 1 for cartoon in cartoons), "The portrait has a face."
        return images / seconds


def measure_service(server: Server, image: SourceImage, images: int) -> tuple[float, float]:
    """Return ok responses per second, and the CPU share of the clients, 0..1."""
    plan = Plan(
        url=f"{server.url}/v1/cartoons",
        arrivals=ClosedLoop(clients=CLIENTS, requests=images),
        images=[image],
        timeout_s=120,
    )
    before = time.process_time()
    started = time.perf_counter()
    report = client.run(plan)
    share = (time.process_time() - before) / (time.perf_counter() - started) / available_cpus()
    assert report.ok == images, report.table()
    return report.throughput, share


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds; default: 9")
    parser.add_argument(
        "--images", type=int, default=200, help="images per measurement; default: 200"
    )
    parser.add_argument("--model", default="comic", help="converted style; default: comic")
    arguments = parser.parse_args()
    image, count = portrait(), arguments.images
    pixels = image.pixels()
    alone, service_rates, shares = [], [], []
    with (
        spawn_object(BareEngine, arguments.model) as bare,
        serving(DCTNET_STYLES=arguments.model, DCTNET_SLOTS=SLOTS) as server,
    ):
        for number in range(-1, arguments.rounds):
            rate = bare("rate", pixels, count)
            service_rate, share = measure_service(server, image, count)
            print(
                f"round {number + 1} of {arguments.rounds}: {rate:.2f} {service_rate:.2f}"
                f" {share:.1%}",
                file=sys.stderr,
            )
            if number >= 0:  # The first round warms up.
                alone.append(rate)
                service_rates.append(service_rate)
                shares.append(share)
    ratios = np.divide(service_rates, alone)
    print(
        f"{time.strftime('%Y-%m-%d')}, {describe_host()}, medians of {arguments.rounds} rounds.\n"
    )
    print("| figure | median | minimum | maximum |\n|---|---|---|---|")
    for name, values in (
        ("bare engine, images per second", alone),
        ("service, images per second", service_rates),
        ("service relative to bare engine, %", 100 * ratios),
        ("CPU share of the clients, %", 100 * np.array(shares)),
    ):
        cells = " | ".join(f"{value:.3g}" for value in (median(values), min(values), max(values)))
        print(f"| {name} | {cells} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
