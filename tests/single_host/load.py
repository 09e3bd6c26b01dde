"""A steady load on a machine whose engine is timed, for as long as something is done to it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from loadtest.client import OpenLoop, Plan, Report, compare_with, generate_images, run
from tests.single_host.conftest import Host
from tests.support.polling import BOUND_S, until

RATE = 3.0
"""Images a second, which one replica draws in half of it: what is rejected under a load
that is too much for the machine is a question of its own."""
IMAGES = generate_images(8, 96, 96, format="png")
SOME = 5
"""So many are answered before anything is done, and after it."""


@dataclass(frozen=True, kw_only=True)
class _UntilTold(OpenLoop):
    """Arrivals that stop when `ended` is set."""

    ended: threading.Event = field(default_factory=threading.Event)

    def offsets(self) -> Iterator[float]:
        for due_s in super().offsets():
            if self.ended.is_set():
                return
            yield due_s


@contextmanager
def load(host: Host) -> Iterator[list[Report]]:
    """Ask steadily, through nginx, from before the body until after it; then gives the report."""
    expected = {image.name: 255 - image.pixels() for image in IMAGES}
    arrivals = _UntilTold(rate=RATE, duration_s=10 * BOUND_S)
    plan = Plan(
        url=f"{host.url}/v1/cartoons",
        arrivals=arrivals,
        images=IMAGES,
        ca_file=host.certificate,
        check=compare_with(expected),
    )
    reports: list[Report] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, plan)
        try:
            _wait_for_some(host)
            yield reports
            _wait_for_some(host)
        finally:
            arrivals.ended.set()
            reports.append(running.result())
            print(reports[0].table())


def _wait_for_some(host: Host) -> None:
    enough = len(host.accesses()) + SOME
    until(lambda: len(host.accesses()) >= enough)
