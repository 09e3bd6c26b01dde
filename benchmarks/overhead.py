"""What HTTP, admission and codecs cost: the whole service beside the bare engine.

    .venv/bin/python -m benchmarks.overhead [--rounds N] [--model MODEL]

Two slots draw a portrait of 512×512, with its face: once a round the engine alone, in a process of
its own, from pixels to pixels, and once the service for fifty clients, from JPEG to PNG. The
clients run on the same machine; their share of it is measured too.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import cv2
import numpy as np

from benchmarks.host import describe
from benchmarks.isolated import apart
from dctnet.arrays import Pixels
from dctnet.config import Settings
from dctnet.conversion.trial_images import PHOTOS, read_photo
from dctnet.cpus import available_cpus
from dctnet.model_loading import load_engine
from dctnet.server import malloc
from loadtest import client
from loadtest.client import Closed, Plan
from loadtest.images import SourceImage
from tests.support.process import Server, serving

SIDE, SLOTS, CLIENTS = 512, 2, 50
QUALITY = 92


def portrait() -> SourceImage:
    """Return a portrait as clients send it."""
    photo = cv2.resize(
        read_photo(PHOTOS / "astronaut.jpg"), (SIDE, SIDE), interpolation=cv2.INTER_AREA
    )
    swapped = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return SourceImage("portrait", data.tobytes(), "image/jpeg", SIDE, SIDE)


class Bare:
    """The engine without a service, as a replica loads it."""

    def __init__(self, model: str) -> None:
        malloc.limit_retained_memory()
        settings = Settings.from_environment({"DCTNET_MODEL": model})
        self._engine, _ = load_engine(settings)
        self._engine.reserve(SLOTS)

    def rate(self, pixels: Pixels, images: int) -> float:
        """Draw so many images on two threads; return how many were drawn a second."""
        with ThreadPoolExecutor(SLOTS) as pool:
            started = time.perf_counter()
            cartoons = list(pool.map(self._engine.cartoonize, [pixels] * images))
            seconds = time.perf_counter() - started
        assert all(cartoon.faces == 1 for cartoon in cartoons), "The portrait has a face."
        return images / seconds


def served(server: Server, image: SourceImage, images: int) -> tuple[float, float]:
    """Return the right answers a second, and the clients' share of the CPUs, 0..1."""
    plan = Plan(
        url=f"{server.url}/v1/cartoons",
        arrivals=Closed(clients=CLIENTS, requests=images),
        images=[image],
        timeout_s=120,
    )
    before = time.process_time()
    started = time.perf_counter()
    report = client.run(plan)
    share = (time.process_time() - before) / (time.perf_counter() - started) / available_cpus()
    assert report.right == images, report.table()
    return report.throughput, share


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=200, help="a round and side; default: 200")
    parser.add_argument("--model", default="demo")
    arguments = parser.parse_args()
    image, count = portrait(), arguments.images
    pixels = image.pixels()
    alone, serving_rates, shares = [], [], []
    with (
        apart(Bare, arguments.model) as bare,
        serving(DCTNET_MODEL=arguments.model, DCTNET_SLOTS=SLOTS) as server,
    ):
        for number in range(-1, arguments.rounds):
            rate = bare("rate", pixels, count)
            served_rate, share = served(server, image, count)
            print(
                f"round {number + 1} of {arguments.rounds}: {rate:.2f} {served_rate:.2f}"
                f" {share:.1%}",
                file=sys.stderr,
            )
            if number >= 0:  # The first round warms up.
                alone.append(rate)
                serving_rates.append(served_rate)
                shares.append(share)
    ratios = np.divide(serving_rates, alone)
    print(f"{time.strftime('%Y-%m-%d')}, {describe()}, medians of {arguments.rounds} rounds.\n")
    print("| figure | median | least | most |\n|---|---|---|---|")
    for name, values in (
        ("bare engine, images a second", alone),
        ("service, images a second", serving_rates),
        ("service of bare engine, %", 100 * ratios),
        ("clients' share of the CPUs, %", 100 * np.array(shares)),
    ):
        cells = " | ".join(f"{value:.3g}" for value in (median(values), min(values), max(values)))
        print(f"| {name} | {cells} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
