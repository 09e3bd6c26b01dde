"""Load client: sends images on a schedule and reports the responses.

``run(Plan(...))`` from Python, ``python -m loadtest.client URL`` from a shell.
"""

import asyncio
import itertools
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from loadtest import file_descriptors
from loadtest.arrivals import Arrivals, ClosedLoop, OpenLoop
from loadtest.client_metrics import ClientMetrics
from loadtest.errors import LoadError
from loadtest.exchange import TRUNCATED, Failure, HttpClient, Response, is_valid_retry_after
from loadtest.hostile import HostileClients
from loadtest.images import SourceImage, generate_images, read_folder
from loadtest.report import Outcome, Percentiles, Report, Sample, build_report
from loadtest.responses import Check, ResponseStore, compare_with

__all__ = [
    "Check",
    "ClosedLoop",
    "LoadError",
    "OpenLoop",
    "Percentiles",
    "Plan",
    "Report",
    "SourceImage",
    "compare_with",
    "generate_images",
    "read_folder",
    "run",
]

RECONNECT_DELAY_S = 0.1
"""Delay after a failed connection, in seconds; without it a client would retry thousands of times
per second."""

LAG_INTERVAL_S = 0.05
"""Interval of measuring the client's own lag, in seconds."""

REJECTION_STATUSES = (429, 503)
"""Statuses of a rejection by load shedding."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Load plan: target, arrivals, images and limits."""

    url: str
    """Endpoint for images, such as ``http://127.0.0.1:8080/v1/cartoons``."""
    arrivals: Arrivals
    images: Sequence[SourceImage]
    """Sent round robin."""
    other_urls: Sequence[str] = ()
    """Further servers: each closed-loop client keeps to one server, as behind a least-connections
    proxy; open-loop requests are sent round robin."""
    timeout_s: float = 60
    """Request timeout in seconds, including the wait for a connection."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of every request."""
    connections: int = 1000
    """Maximum connections of an open loop; waiting for one counts as latency. A closed loop uses
    one per client."""
    new_connections: bool = False
    """Whether every request opens a connection, without keep-alive."""
    ca_file: Path | None = None
    """CA certificate for ``https``, instead of the system's."""
    hostile: Mapping[str, int] = field(default_factory=dict)
    """Numbers of hostile clients beside the load, by kind; only for ``http``."""
    check: Check | None = None
    """Check of every cartoon of the right size, such as `compare_with` returns."""

    def __post_init__(self) -> None:
        if not self.images:
            raise LoadError("A plan needs at least one image.")
        if self.timeout_s <= 0 or self.connections <= 0:
            raise LoadError("A timeout and a number of connections must be positive.")
        if self.hostile and not self.url.startswith("http://"):
            raise LoadError("Hostile clients need an http:// URL: they do not speak TLS.")

    @property
    def urls(self) -> list[str]:
        """Endpoints of all servers."""
        return [self.url, *self.other_urls]

    @property
    def max_connections(self) -> int:
        """Maximum number of concurrent connections."""
        return self.arrivals.clients if isinstance(self.arrivals, ClosedLoop) else self.connections

    def __str__(self) -> str:
        images = f"{len(self.images)} image{'s' * (len(self.images) > 1)}"
        return f"{self.arrivals}, {images}"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A report and the requests that it summarizes."""

    report: Report
    samples: Sequence[Sample]


def run(plan: Plan, stop: Event | None = None) -> Report:
    """Run a plan as `measure` does, and return its report."""
    return measure(plan, stop).report


def measure(
    plan: Plan, stop: Event | None = None, metrics: ClientMetrics | None = None
) -> Measurement:
    """Run a plan in a new event loop, then validate the responses.

    Once another thread sets ``stop``, no more requests are started. ``metrics`` are updated during
    the load.

    Raises:
        LoadError: This machine cannot run the plan. Failed requests raise nothing: the report
            counts them.
    """
    file_descriptors.raise_limit(plan.max_connections + sum(plan.hostile.values()))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with ResponseStore() as responses:
        load = _Load(plan, responses, stop or Event(), metrics or ClientMetrics())
        try:
            asyncio.run(load.run())
        except ExceptionGroup as group:  # One error cancels all tasks.
            raise group.exceptions[0] from None
        results = responses.validate(plan.images, plan.check)
    for sample, number in load.unchecked:
        if invalid := results[number]:
            sample.outcome, sample.reason, sample.detail = "invalid", invalid.reason, invalid.detail
    report = build_report(
        load.samples,
        load.lags_s,
        url=plan.url,
        load=str(plan),
        started=started,
        hostile=load.hostile.outcomes(),
    )
    return Measurement(report=report, samples=load.samples)


class _Load:
    """A running plan."""

    def __init__(
        self, plan: Plan, responses: ResponseStore, stop: Event, metrics: ClientMetrics
    ) -> None:
        self.samples: list[Sample] = []
        self.unchecked: list[tuple[Sample, int]] = []
        """Samples with the number of their stored response, ``ok`` until validated."""
        self.lags_s: list[float] = []
        self.hostile = HostileClients(plan.url, plan.images[0])
        self._plan = plan
        self._responses = responses
        self._stop = stop
        self._metrics = metrics
        self._numbers = itertools.count()
        self._http: HttpClient
        self._start: float

    async def run(self) -> None:
        plan = self._plan
        async with HttpClient(
            timeout_s=plan.timeout_s,
            connections=plan.max_connections,
            headers=plan.headers,
            keep_alive=not plan.new_connections,
            tls=ssl.create_default_context(cafile=plan.ca_file) if plan.ca_file else None,
        ) as self._http:
            self._start = asyncio.get_running_loop().time()
            background = [
                asyncio.create_task(self._measure_lag()),
                asyncio.create_task(self.hostile.run(plan.hostile)),
            ]
            if isinstance(plan.arrivals, OpenLoop):
                await self._run_open_loop(plan.arrivals)
            else:
                await self._run_closed_loop(plan.arrivals)
            for task in background:
                task.cancel()
            await asyncio.wait(background)

    async def _run_open_loop(self, arrivals: OpenLoop) -> None:
        async with asyncio.TaskGroup() as tasks:
            for due_s, url in zip(arrivals.offsets(), itertools.cycle(self._plan.urls)):
                # Yields to other tasks even if the schedule is late.
                await asyncio.sleep(max(0.0, due_s - self._now()))
                if self._stop.is_set():
                    break
                tasks.create_task(self._request(due_s, url))

    async def _run_closed_loop(self, arrivals: ClosedLoop) -> None:
        async def client(url: str) -> None:
            while (
                not self._stop.is_set()
                and self._now() < arrivals.max_duration_s
                and next(turns, None) is not None
            ):
                sample = await self._request(self._now(), url)
                if sample.reason == "connect":
                    await asyncio.sleep(RECONNECT_DELAY_S)

        turns = iter(range(arrivals.max_requests))
        async with asyncio.TaskGroup() as tasks:
            for _, url in zip(range(arrivals.clients), itertools.cycle(self._plan.urls)):
                tasks.create_task(client(url))

    async def _request(self, due_s: float, url: str) -> Sample:
        index = next(self._numbers) % len(self._plan.images)
        self._metrics.on_sent()
        result = await self._http.post_image(url, self._plan.images[index])
        sample = _classify(due_s, self._now(), result)
        self.samples.append(sample)
        self._metrics.on_sample(sample)
        if isinstance(result, Response) and sample.outcome == "ok":
            number = self._responses.add(index, result.content_type, result.body)
            self.unchecked.append((sample, number))
        return sample

    def _now(self) -> float:
        """Return the time since the start of the run, in seconds."""
        return asyncio.get_running_loop().time() - self._start

    async def _measure_lag(self) -> None:
        while True:
            due_s = self._now() + LAG_INTERVAL_S
            await asyncio.sleep(LAG_INTERVAL_S)
            self.lags_s.append(self._now() - due_s)
            self._metrics.on_lag(self.lags_s[-1])


def _classify(due_s: float, ended_s: float, result: Response | Failure) -> Sample:
    """Classify a result; a 200 counts as ``ok`` until its image is validated."""
    if result.status in REJECTION_STATUSES:
        lacks = not is_valid_retry_after(result.retry_after)
        return Sample(due_s, ended_s, "rejected", lacks_retry_after=lacks)
    if result.status not in {None, 200}:
        return Sample(due_s, ended_s, "failed", f"status {result.status}")
    if isinstance(result, Response):
        return Sample(due_s, ended_s, "ok")
    outcome: Outcome = "invalid" if result.reason == TRUNCATED else "failed"
    return Sample(due_s, ended_s, outcome, result.reason, result.detail)


if __name__ == "__main__":
    from loadtest.command import main

    sys.exit(main())
