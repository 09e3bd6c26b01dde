"""Legitimate clients: they heed `Retry-After`, each from its own address."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Self

from loadtest.client import RECONNECT_DELAY_S, REJECTION_STATUSES
from loadtest.exchange import Failure, HttpClient, Response
from loadtest.images import SourceImage
from loadtest.responses import Check, ResponseStore

TIMEOUT_S = 120
"""Request timeout in seconds: the server's deadline plus a long pause."""

OK, REJECTED = "ok", "rejected"


@dataclass(slots=True)
class Attempt:
    """One request for one image."""

    client: int
    image_started_s: float
    """Time of the first request for this image; all times are monotonic, in seconds."""
    started_s: float
    ended_s: float
    outcome: str
    """OK, REJECTED, or an error message."""
    status: int | None
    retry_after_s: int | None
    """`Retry-After` of a rejection, in seconds."""


class LegitimateClients:
    """Closed-loop clients that retry rejected requests after `Retry-After`."""

    def __init__(
        self, url: str, addresses: Sequence[str], images: Sequence[SourceImage], check: Check
    ) -> None:
        """Take the source addresses of the clients, and the images to send round robin."""
        self.attempts: list[Attempt] = []
        self._url = url
        self._addresses = addresses
        self._images = images
        self._check = check
        self._responses = ResponseStore()
        self._unchecked: list[tuple[Attempt, int]] = []
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()

    @classmethod
    @contextmanager
    def running(
        cls, url: str, addresses: Sequence[str], images: Sequence[SourceImage], check: Check
    ) -> Iterator[Self]:
        """Send requests until the block ends; then complete and validate all."""
        clients = cls(url, addresses, images, check)
        thread = Thread(target=clients._loop.run_until_complete, args=(clients._run(),))
        thread.start()
        try:
            yield clients
        finally:
            clients._loop.call_soon_threadsafe(clients._stopped.set)
            thread.join()
            clients._validate()

    def throughput(self, begin_s: float, end_s: float) -> float:
        """Return the ok responses per second that ended in a time span."""
        # A copy, because clients append concurrently.
        ended = (attempt for attempt in list(self.attempts) if attempt.outcome == OK)
        return sum(begin_s <= attempt.ended_s < end_s for attempt in ended) / (end_s - begin_s)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number, address in enumerate(self._addresses):
                tasks.create_task(self._client(number, address))

    async def _client(self, number: int, address: str) -> None:
        async with HttpClient(timeout_s=TIMEOUT_S, connections=1, source_address=address) as http:
            for index in itertools.count(number * len(self._images) // len(self._addresses)):
                if self._stopped.is_set():
                    return
                await self._cartoon(http, number, index % len(self._images))

    async def _cartoon(self, http: HttpClient, client: int, index: int) -> None:
        """Request the cartoon of an image until it is not rejected."""
        image_started_s = time.monotonic()
        while not self._stopped.is_set():
            started_s = time.monotonic()
            result = await http.post_image(self._url, self._images[index])
            attempt = Attempt(
                client,
                image_started_s,
                started_s,
                time.monotonic(),
                _outcome(result),
                result.status,
                _parse_seconds(result.retry_after),
            )
            self.attempts.append(attempt)
            if attempt.outcome == OK and isinstance(result, Response):
                number = self._responses.add(index, result.content_type, result.body)
                self._unchecked.append((attempt, number))
            if attempt.outcome != REJECTED:
                if attempt.outcome != OK:
                    await asyncio.sleep(RECONNECT_DELAY_S)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), attempt.retry_after_s)

    def _validate(self) -> None:
        with self._responses:
            results = self._responses.validate(self._images, self._check)
        for attempt, number in self._unchecked:
            if invalid := results[number]:
                attempt.outcome = f"invalid {invalid.reason}: {invalid.detail}"


def _outcome(result: Response | Failure) -> str:
    if result.status in REJECTION_STATUSES:
        if _parse_seconds(result.retry_after) is None:
            return f"{result.status} without Retry-After"
        return REJECTED
    if isinstance(result, Failure):
        return f"{result.reason}: {result.detail}"
    return OK if result.status == 200 else f"status {result.status}"


def _parse_seconds(retry_after: str | None) -> int | None:
    """Parse `Retry-After` as seconds, the form that the server sends."""
    return (
        int(retry_after)
        if retry_after and retry_after.isascii() and retry_after.isdigit()
        else None
    )
