"""Load through the proxy: images with expected cartoons."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

import cv2
import skimage.data

from dctnet.config import Settings
from dctnet.model_loading import load_engine
from loadtest import client
from loadtest.client import (
    ClosedLoop,
    Measurement,
    OpenLoop,
    Plan,
    Report,
    SourceImage,
    compare_with,
    generate_images,
)
from loadtest.images import Pixels
from tests.e2e.cluster import Namespace
from tests.support.encoded_images import encoded

ResultRecorder = Callable[[str, dict[str, Any] | Report], None]
"""Records the results of a test by name, as the fixture `record_result` does."""

SIDE = 96
"""Side of the images in pixels; small, because the tests are about routing, not inference."""

CAPACITY_CLIENTS = 4
CAPACITY_S = 10
ALONE_REQUESTS = 20

STEADY = 0.35
"""Constant load relative to capacity; a third replica starting during an upgrade uses the same
CPUs."""

MAX_DURATION_S = 3600
"""Maximum duration of a constant load, in seconds."""

TIMEOUT_S = 90


@dataclass(frozen=True)
class LoadGenerator:
    """Load generator of one service; each method returns a report."""

    url: str
    """Endpoint for images."""
    headers: dict[str, str]
    images: list[SourceImage]
    expected: dict[str, Pixels]

    def capacity(self) -> Report:
        """Measure the capacity with a closed loop."""
        return self._run(ClosedLoop(clients=CAPACITY_CLIENTS, duration_s=CAPACITY_S))

    def send_at_rate(self, rate: float, duration_s: float) -> Report:
        """Send Poisson arrivals at a rate per second."""
        return self._run(OpenLoop(rate=rate, duration_s=duration_s, poisson=True))

    def seconds_alone(self) -> float:
        """Measure the seconds of one image at a time."""
        return 1 / self._run(ClosedLoop(clients=1, requests=ALONE_REQUESTS)).throughput

    def measure(self, arrivals: OpenLoop) -> Measurement:
        """Send a load, and return its report with every request."""
        return client.measure(self._plan(arrivals))

    @contextmanager
    def steady(self, rate: float) -> Iterator[Future[Report]]:
        """Send a constant rate until the block ends; the future then has the report."""
        stop = Event()
        with ThreadPoolExecutor(1) as pool:
            try:
                yield pool.submit(self._run, OpenLoop(rate=rate, duration_s=MAX_DURATION_S), stop)
            finally:
                stop.set()

    def _run(self, arrivals: OpenLoop | ClosedLoop, stop: Event | None = None) -> Report:
        return client.run(self._plan(arrivals), stop)

    def _plan(self, arrivals: OpenLoop | ClosedLoop) -> Plan:
        return Plan(
            url=self.url,
            headers=self.headers,
            images=self.images,
            arrivals=arrivals,
            timeout_s=TIMEOUT_S,
            check=compare_with(self.expected, tolerance=1),
        )


def expected_cartoons() -> tuple[list[SourceImage], dict[str, Pixels]]:
    """Return images, one with a face, and their cartoons by the local shipped comic."""
    portrait: Any = cv2.resize(skimage.data.astronaut(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    face = SourceImage("portrait", encoded(portrait), "image/png", SIDE, SIDE)
    images = [face, *generate_images(7, SIDE, SIDE, format="png")]
    engine = load_engine(Settings.from_environment({"DCTNET_STYLES": "comic"}))
    return images, {p.name: engine.cartoonize(p.pixels()).image for p in images}


def require_no_lost_requests(report: Report, namespace: Namespace) -> None:
    """Fail unless every request is ok, and none rejected."""
    assert report.sent > 0
    output = [report.table(), *namespace.unhealthy()]
    assert report.ok == report.sent, "\n".join(output)


def summarize_report(report: Report) -> dict[str, Any]:
    """Return the main numbers of a report."""
    found: dict[str, Any] = {
        name: getattr(report, name) for name in ("sent", "ok", "rejected", "failed", "invalid")
    }
    found |= report.failed_by_reason | report.invalid_by_reason
    if latency := report.latency_s["ok"]:
        found |= {"p50_s": latency.p50, "p99_s": latency.p99, "max_s": latency.max}
    return found
