"""Two checkouts, side by side: throughput under 50 clients, latency, ready time and memory.

    .venv/bin/python -m benchmarks.checkouts BEFORE [AFTER] [--rounds N] [--requests N]

BEFORE and AFTER are checkouts whose native runtime is built; AFTER defaults to this one. Both run
in this environment, in interleaved rounds. The script prints the medians of the rounds and the
median ratios.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import requests

from benchmarks.host import describe_host
from benchmarks.overhead import SIDE, portrait
from loadtest import client
from loadtest.client import ClosedLoop, Plan, SourceImage, generate_images
from tests.support.process import Server, family_memory, serving

CLIENTS = 50
LARGE = 3000, 4000
"""Height and width of the large image, in pixels: 12 megapixels."""

TIMEOUT_S = 120
SMALL_CALLS, LARGE_CALLS = 20, 5


class Figures(NamedTuple):
    """Measurements of one replica, named in ``LABELS``."""

    throughput: float
    small: float
    large: float
    ready: float
    memory: float


LABELS = {
    "throughput": f"portraits of {SIDE}×{SIDE} per second, {CLIENTS} clients",
    "small": f"latency of a portrait of {SIDE}×{SIDE}, ms",
    "large": "latency of a JPEG of 12 megapixels, ms",
    "ready": "ready after, s",
    "memory": "memory when ready (PSS), MB",
}


def measure(checkout: Path, count: int) -> Figures:
    """Start a replica of a checkout and measure it; fail on outcomes other than ok."""
    paths = f"{checkout / 'service'}:{checkout}"
    began = time.perf_counter()
    with serving(PYTHONPATH=paths, DCTNET_STYLES="comic") as server:
        ready = time.perf_counter() - began
        memory = family_memory(server.process.pid) / 1e6
        small, large = (
            milliseconds(server, image, calls)
            for image, calls in ((portrait(), SMALL_CALLS), (large_image(), LARGE_CALLS))
        )
        report = client.run(
            Plan(
                url=f"{server.url}/v1/cartoons",
                arrivals=ClosedLoop(clients=CLIENTS, requests=count),
                images=[portrait()],
                timeout_s=TIMEOUT_S,
            )
        )
    assert report.ok == count, report.table()
    return Figures(float(report.throughput), small, large, ready, memory)


def large_image() -> SourceImage:
    """Return a large JPEG, without a face."""
    (image,) = generate_images(1, LARGE[1], LARGE[0])
    return image


def milliseconds(server: Server, image: SourceImage, calls: int) -> float:
    """Return the median latency of a JPEG that becomes a PNG, for one client."""
    seconds = []
    with requests.Session() as session:
        for _ in range(calls + 1):
            began = time.perf_counter()
            response = session.post(f"{server.url}/v1/cartoons", image.data, timeout=TIMEOUT_S)
            seconds.append(time.perf_counter() - began)
            assert response.ok, response.text
    return 1000 * median(seconds[1:])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=Path, help="checkout before the change")
    parser.add_argument(
        "after",
        type=Path,
        nargs="?",
        default=Path(__file__).parents[1],
        help="checkout after the change",
    )
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds; default: 5")
    parser.add_argument(
        "--requests", type=int, default=150, help="requests per round; default: 150"
    )
    arguments = parser.parse_args()
    checkouts = [arguments.before.resolve(), arguments.after.resolve()]
    rounds: list[tuple[Figures, Figures]] = []
    for number in range(arguments.rounds):
        # The order alternates, because the speed of a machine changes within minutes.
        order = checkouts if number % 2 else checkouts[::-1]
        measured = {checkout: measure(checkout, arguments.requests) for checkout in order}
        rounds.append((measured[checkouts[0]], measured[checkouts[1]]))
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    print(f"{time.strftime('%Y-%m-%d')}, {describe_host()}, medians of {len(rounds)} rounds.\n")
    print("| figure | before | after | difference | after / before |\n|---|---|---|---|---|")
    for figure, label in LABELS.items():
        pairs = [(getattr(one, figure), getattr(other, figure)) for one, other in rounds]
        before, after = (median(values) for values in zip(*pairs, strict=True))
        difference = median(other - one for one, other in pairs)
        ratio = median(other / one for one, other in pairs)
        print(f"| {label} | {before:.2f} | {after:.2f} | {difference:+.2f} | {ratio:.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
