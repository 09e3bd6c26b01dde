"""The load client: images to a server at planned times, and a report of what came back.

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

import aiohttp

from loadtest import file_descriptors
from loadtest.arrivals import Arrivals, ClosedLoop, OpenLoop
from loadtest.errors import LoadError
from loadtest.exchange import TRUNCATED, Failure, Response, is_valid_retry_after, post_image
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

IDLE_TIMEOUT_S = 30
"""How long a connection may be idle before the client closes it: less than the server's 75 s, so
that no request meets a server which is just closing."""

RECONNECT_DELAY_S = 0.1
"""How long a client waits that could not connect: a rejection costs it nothing, so that it would
otherwise try thousands of times a second."""

LAG_INTERVAL_S = 0.05
"""How often the client's own lag is measured."""

REJECTION_STATUSES = (429, 503)
"""The statuses by which a server says that it has too much to do."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is sent where and when."""

    url: str
    """Where images are posted, such as ``http://127.0.0.1:8080/v1/cartoons``."""
    arrivals: Arrivals
    images: Sequence[SourceImage]
    """Sent in turn, the first again after the last."""
    other_urls: Sequence[str] = ()
    """More servers that share the load: each client of a closed one keeps to one of all, as behind
    a proxy that asks the least busy; the requests of an open one take turns."""
    timeout_s: float = 60
    """How long a request may take, the wait for a connection included."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request."""
    connections: int = 1000
    """How many an open load uses at most; a request that waits for one is getting late, and its
    latency says so. Closed ones use one a client."""
    new_connections: bool = False
    """Whether every request has a connection of its own, instead of one that was used before."""
    ca_file: Path | None = None
    """The certificate to trust where the URL is ``https``, instead of those of this machine."""
    check: Check | None = None
    """Looks at every answer that is an image of the right size; `compare_with` makes one."""

    def __post_init__(self) -> None:
        if not self.images:
            raise LoadError("A plan needs at least one image.")
        if self.timeout_s <= 0 or self.connections <= 0:
            raise LoadError("A timeout and a number of connections must be positive.")

    @property
    def urls(self) -> list[str]:
        """Of all servers."""
        return [self.url, *self.other_urls]

    @property
    def max_connections(self) -> int:
        """How many connections are open at once, at most."""
        return self.arrivals.clients if isinstance(self.arrivals, ClosedLoop) else self.connections

    def __str__(self) -> str:
        images = f"{len(self.images)} image{'s' * (len(self.images) > 1)}"
        return f"{self.arrivals}, {images}"


def run(plan: Plan, stop: Event | None = None) -> Report:
    """Carry a plan out, then check the answers; it starts and ends an event loop of its own.

    Once ``stop`` is set, by another thread, no more requests are started.

    Raises:
        LoadError: This machine cannot carry it out. A server that does not answer is no error
            but a report of failures.
    """
    file_descriptors.raise_limit(plan.max_connections)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with ResponseStore() as responses:
        load = _Load(plan, responses, stop or Event())
        try:
            asyncio.run(load.run())
        except ExceptionGroup as group:  # What ended one task ended all the others.
            raise group.exceptions[0] from None
        results = responses.validate(plan.images, plan.check)
    for sample, number in load.unchecked:
        if invalid := results[number]:
            sample.outcome, sample.reason, sample.detail = "invalid", invalid.reason, invalid.detail
    return build_report(load.samples, load.lags_s, url=plan.url, load=str(plan), started=started)


class _Load:
    """A plan while it is carried out."""

    def __init__(self, plan: Plan, responses: ResponseStore, stop: Event) -> None:
        self.samples: list[Sample] = []
        self.unchecked: list[tuple[Sample, int]] = []
        """The samples that count as right until their answers, by number, are checked."""
        self.lags_s: list[float] = []
        self._plan = plan
        self._responses = responses
        self._stop = stop
        self._numbers = itertools.count()
        self._session: aiohttp.ClientSession
        self._start: float

    async def run(self) -> None:
        plan = self._plan
        verify = ssl.create_default_context(cafile=plan.ca_file) if plan.ca_file else True
        connector = (
            aiohttp.TCPConnector(limit=plan.max_connections, ssl=verify, force_close=True)
            if plan.new_connections
            else aiohttp.TCPConnector(
                limit=plan.max_connections, ssl=verify, keepalive_timeout=IDLE_TIMEOUT_S
            )
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=plan.timeout_s),
            headers=plan.headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=2**20,  # Cartoons are read in few pieces.
        ) as self._session:
            self._start = asyncio.get_running_loop().time()
            lag_task = asyncio.create_task(self._measure_lag())
            if isinstance(plan.arrivals, OpenLoop):
                await self._run_open_loop(plan.arrivals)
            else:
                await self._run_closed_loop(plan.arrivals)
            lag_task.cancel()

    async def _run_open_loop(self, arrivals: OpenLoop) -> None:
        async with asyncio.TaskGroup() as tasks:
            for due_s, url in zip(arrivals.offsets(), itertools.cycle(self._plan.urls)):
                # Where the schedule is late already, others still get their turn.
                await asyncio.sleep(max(0.0, due_s - self._now()))
                if self._stop.is_set():
                    break
                tasks.create_task(self._request(due_s, url))

    async def _run_closed_loop(self, arrivals: ClosedLoop) -> None:
        async def client(url: str) -> None:
            while not stopped() and self._now() < end_s and next(turns, None) is not None:
                sample = await self._request(self._now(), url)
                if sample.reason == "connect":
                    await asyncio.sleep(RECONNECT_DELAY_S)

        stopped = self._stop.is_set
        end_s = arrivals.duration_s or float("inf")
        turns = iter(range(arrivals.requests)) if arrivals.requests else itertools.count()
        async with asyncio.TaskGroup() as tasks:
            for _, url in zip(range(arrivals.clients), itertools.cycle(self._plan.urls)):
                tasks.create_task(client(url))

    async def _request(self, due_s: float, url: str) -> Sample:
        index = next(self._numbers) % len(self._plan.images)
        result = await post_image(self._session, url, self._plan.images[index])
        sample = _classify(due_s, self._now(), result)
        self.samples.append(sample)
        if isinstance(result, Response) and sample.outcome == "ok":
            number = self._responses.add(index, result.content_type, result.body)
            self.unchecked.append((sample, number))
        return sample

    def _now(self) -> float:
        """Return the seconds since the start of the run."""
        return asyncio.get_running_loop().time() - self._start

    async def _measure_lag(self) -> None:
        while True:
            due_s = self._now() + LAG_INTERVAL_S
            await asyncio.sleep(LAG_INTERVAL_S)
            self.lags_s.append(self._now() - due_s)


def _classify(due_s: float, ended_s: float, result: Response | Failure) -> Sample:
    """Classify a result; one of status 200 counts as right until its image is checked."""
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
