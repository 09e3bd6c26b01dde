"""Constant load on a host with a timed engine, while a test disturbs the host."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from loadtest.client import OpenLoop, Plan, Report, compare_with, generate_images, run
from tests.single_host.conftest import Host
from tests.support.polling import BOUND_S, until

RATE = 3.0
"""Images per second, half of what one replica can do: overload has its own tests."""
IMAGES = generate_images(8, 96, 96, format="png")
RESPONSES_AROUND = 5
"""Responses before the disturbance, and after it."""


@dataclass(frozen=True, kw_only=True)
class StoppableArrivals(OpenLoop):
    """Arrivals that stop when `stopped` is set."""

    stopped: threading.Event = field(default_factory=threading.Event)

    def offsets(self) -> Iterator[float]:
        for due_s in super().offsets():
            if self.stopped.is_set():
                return
            yield due_s


@contextmanager
def load(host: Host) -> Iterator[list[Report]]:
    """Load nginx from before the block until after it; then append the report to the list."""
    right = {image.name: 255 - image.pixels() for image in IMAGES}
    arrivals = StoppableArrivals(rate=RATE, duration_s=10 * BOUND_S)
    plan = Plan(
        url=f"{host.url}/v1/cartoons",
        arrivals=arrivals,
        images=IMAGES,
        ca_file=host.certificate,
        check=compare_with(right),
    )
    reports: list[Report] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, plan)
        try:
            _wait_for_responses(host)
            yield reports
            _wait_for_responses(host)
        finally:
            arrivals.stopped.set()
            reports.append(running.result())
            print(reports[0].table())


def _wait_for_responses(host: Host) -> None:
    enough = len(host.access_log_lines()) + RESPONSES_AROUND
    until(lambda: len(host.access_log_lines()) >= enough)
