"""Slow clients (Slowloris): connections that send a byte per interval, for ever."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from loadtest import file_descriptors
from loadtest.images import SourceImage

CLOSED, RESET, OPEN, UNCONNECTED = "closed", "reset", "open", "unconnected"
"""How a connection without a response ended; OPEN: the client gave up first."""


@dataclass(frozen=True, kw_only=True)
class SlowPlan:
    """Plan of slow connections."""

    url: str
    """Endpoint; only ``http``."""
    connections: int
    part: Literal["headers", "body"]
    """Part sent slowly; with ``body``, headers are sent at once."""
    image: SourceImage
    """Request body, of which only the first bytes are sent."""
    bound_s: float
    """Maximum time to hold a connection, in seconds."""
    interval_s: float = 1.0
    """Interval between bytes, in seconds."""


@dataclass(frozen=True, kw_only=True)
class SlowReport:
    """Outcomes of slow connections; the counts add up to the plan's connections."""

    by_status: dict[int, int]
    """Responses by status, such as 408; 0 for a response that is not HTTP."""
    closed: int
    """Connections closed by the server without a response."""
    reset: int
    still_open: int
    """Connections still open at the bound."""
    unconnected: int
    """Connections that were not accepted."""


def run(plan: SlowPlan) -> SlowReport:
    """Open all connections at once and wait until each ends or reaches the bound.

    Raises:
        LoadError: The limit of open files is too low.
    """
    file_descriptors.raise_limit(plan.connections)
    outcomes = asyncio.run(_outcomes(plan))
    return SlowReport(
        by_status={
            outcome: count for outcome, count in outcomes.items() if isinstance(outcome, int)
        },
        closed=outcomes[CLOSED],
        reset=outcomes[RESET],
        still_open=outcomes[OPEN],
        unconnected=outcomes[UNCONNECTED],
    )


async def _outcomes(plan: SlowPlan) -> Counter[int | str]:
    return Counter(await asyncio.gather(*(attempt(plan) for _ in range(plan.connections))))


async def attempt(plan: SlowPlan) -> int | str:
    """Hold one connection; return the status, or how it ended."""
    parts = urlsplit(plan.url)
    try:
        async with asyncio.timeout(plan.bound_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    except (TimeoutError, OSError):
        return UNCONNECTED
    drip_task = asyncio.create_task(_drip(plan, writer))
    try:
        async with asyncio.timeout(plan.bound_s):
            return read_status(await reader.readline())
    except TimeoutError:
        return OPEN
    except OSError:
        return RESET
    finally:
        drip_task.cancel()
        writer.transport.abort()


async def _drip(plan: SlowPlan, writer: asyncio.StreamWriter) -> None:
    immediate, delayed = _request_bytes(plan)
    writer.write(immediate)
    for byte in delayed:
        # No drain: a server that does not read must not stop the client.
        writer.write(bytes([byte]))
        await asyncio.sleep(plan.interval_s)


def _request_bytes(plan: SlowPlan) -> tuple[bytes, Iterator[int]]:
    head = request_head(plan.url, plan.image)
    if plan.part == "body":
        return head, iter(plan.image.data)
    unfinished = head.removesuffix(b"\r\n")
    return b"", itertools.chain(unfinished, b"X-Slow: ", itertools.repeat(ord("a")))


def request_head(url: str, image: SourceImage) -> bytes:
    """Return the request line and headers of an upload."""
    parts = urlsplit(url)
    return (
        f"POST {parts.path or '/'} HTTP/1.1\r\n"
        f"Host: {parts.netloc}\r\n"
        f"Content-Type: {image.media_type}\r\n"
        f"Content-Length: {len(image.data)}\r\n\r\n"
    ).encode()


def read_status(line: bytes) -> int | str:
    """Return the status of a status line: 0 if it is not HTTP, CLOSED if it is empty."""
    if not line:
        return CLOSED
    version, _, rest = line.partition(b" ")
    return int(rest[:3]) if version.startswith(b"HTTP/") and rest[:3].isdigit() else 0
