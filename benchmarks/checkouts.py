"""Throughput of two checkouts under 50 clients, in interleaved rounds.

    .venv/bin/python -m benchmarks.checkouts BEFORE [AFTER] [--rounds N] [--requests N]

BEFORE and AFTER are checkouts whose native runtime is built; AFTER defaults to this one. Both run
in this environment. The script prints the ratio of each round and the median ratio.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.host import describe_host
from loadtest import client
from loadtest.client import ClosedLoop, Plan, generate_images
from tests.support.process import serving

CLIENTS = 50
SIDE = 512


def throughput(checkout: Path, requests: int) -> float:
    """Return the ok responses per second of a replica; fail on other outcomes."""
    paths = f"{checkout / 'service'}:{checkout}"
    with serving(PYTHONPATH=paths, DCTNET_STYLES="comic") as server:
        report = client.run(
            Plan(
                url=f"{server.url}/v1/cartoons",
                arrivals=ClosedLoop(clients=CLIENTS, requests=requests),
                images=generate_images(CLIENTS, SIDE, SIDE),
                timeout_s=120,
            )
        )
    assert report.ok == requests, report.table()
    return float(report.throughput)


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
    print(f"{time.strftime('%Y-%m-%d')}, {describe_host()}\n")
    print("| round | before, responses per second | after | after / before |\n|---|---|---|---|")
    ratios = []
    for number in range(1, arguments.rounds + 1):
        # The order alternates, because the speed of a machine changes within minutes.
        order = checkouts if number % 2 else checkouts[::-1]
        measured = {checkout: throughput(checkout, arguments.requests) for checkout in order}
        before, after = (measured[checkout] for checkout in checkouts)
        ratios.append(after / before)
        print(f"| {number} | {before:.2f} | {after:.2f} | {ratios[-1]:.3f} |", flush=True)
    print(f"| median | | | {median(ratios):.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
