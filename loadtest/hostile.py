"""Hostile clients beside the measured load: slow, broken and disconnecting ones."""

import asyncio
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from loadtest import slow_clients
from loadtest.exchange import HttpClient, Response
from loadtest.images import SourceImage
from loadtest.slow_clients import OPEN, RESET, UNCONNECTED, SlowPlan, read_status

HOLD_S = 90
"""Maximum time that a client holds a connection, in seconds."""

RECONNECT_DELAY_S = 0.5
"""Delay from the end of a connection to the next one, in seconds."""

PATIENCE_S = 1.0
"""Maximum time after which a client disconnects without its response, in seconds."""

_MALFORMED = (
    b"GET /health\r\n\r\n",
    b"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost : x\r\n no name\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
)

Outcomes = dict[str, dict[str, int]]
"""Counts by kind of client and by outcome: a status, or how the connection ended."""


class HostileClients:
    """Hostile clients of several kinds; each reconnects when its connection has ended."""

    def __init__(self, url: str, image: SourceImage) -> None:
        """Take an ``http`` endpoint, and an image to send to it."""
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port or 80
        self._url = url
        self._image = image
        self._malformed = itertools.cycle(_MALFORMED)
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def outcomes(self) -> Outcomes:
        """Return the counts so far."""
        return {kind: dict(counts.most_common()) for kind, counts in self._counts.items()}

    async def run(self, clients: Mapping[str, int]) -> None:
        """Run these numbers of clients by kind until cancelled."""
        connections = sum(clients.values())
        async with (
            HttpClient(timeout_s=HOLD_S, connections=connections) as http,
            asyncio.TaskGroup() as tasks,
        ):
            kinds: dict[str, Callable[[], Awaitable[str]]] = {
                "slow-headers": lambda: self._send_slowly("headers"),
                "slow-bodies": lambda: self._send_slowly("body"),
                "disconnect": self._disconnect,
                "malformed": lambda: self._hold(next(self._malformed)),
                "idle": lambda: self._hold(b""),
                "invalid-image": lambda: self._send_invalid_image(http),
            }
            for kind, number in clients.items():
                for _ in range(number):
                    tasks.create_task(self._repeat(kind, kinds[kind]))

    async def _repeat(self, kind: str, attempt: Callable[[], Awaitable[str]]) -> None:
        while True:
            outcome = OPEN
            try:
                outcome = await attempt()
            except OSError:
                outcome = RESET
            finally:  # At the end of the load, open connections are cancelled.
                self._counts[kind][outcome] += 1
            await asyncio.sleep(RECONNECT_DELAY_S)

    async def _send_slowly(self, part: Literal["headers", "body"]) -> str:
        plan = SlowPlan(url=self._url, connections=1, part=part, image=self._image, bound_s=HOLD_S)
        return str(await slow_clients.attempt(plan))

    async def _send_invalid_image(self, http: HttpClient) -> str:
        image = replace(self._image, data=self._image.data[: len(self._image.data) // 2])
        result = await http.post_image(self._url, image)
        return str(result.status) if isinstance(result, Response) else result.reason

    async def _disconnect(self) -> str:
        """Disconnect before the response, as a user who leaves."""
        _, writer = await asyncio.open_connection(*self._address)
        writer.write(slow_clients.request_head(self._url, self._image) + self._image.data)
        try:
            await asyncio.sleep(random.uniform(0, PATIENCE_S))  # noqa: S311 - Spreads the load.
        finally:
            writer.close()
        return "disconnected"

    async def _hold(self, data: bytes) -> str:
        """Send these bytes and hold the connection until the server closes it."""
        try:
            reader, writer = await asyncio.open_connection(*self._address)
        except OSError:
            return UNCONNECTED
        try:
            async with asyncio.timeout(HOLD_S):
                writer.write(data)
                outcome = str(read_status(await reader.readline()))
                while await reader.read(2**16):
                    pass
                return outcome
        except TimeoutError:
            return OPEN
        finally:
            writer.transport.abort()
