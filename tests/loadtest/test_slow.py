"""Slow clients, and how a server gets rid of them."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from loadtest import slow
from loadtest.client import Picture
from loadtest.slow import SlowPlan, SlowReport
from tests.support.polling import BOUND_S
from tests.support.process import free_ports

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NOTHING = SlowReport(by_status={}, closed=0, reset=0, still_open=0, unconnected=0)


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """A server that does this with every connection, in a thread; gives its URL."""

    async def serve() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
        urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/cartoons")
        ready.set()
        async with server:
            await ended.wait()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviour(reader, writer)
        except ConnectionError:  # The client has enough.
            pass
        finally:
            writer.close()

    urls: list[str] = []
    ready, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(BOUND_S)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


async def answer_408(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(3)
    writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def close(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readexactly(1)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(3)
    # Closing with a linger time of zero sends RST.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(-1)


def slowly(url: str, picture: Picture, **plan: object) -> SlowReport:
    defaults = {"connections": 20, "part": "headers", "bound_s": BOUND_S, "interval_s": 0.02}
    return slow.run(SlowPlan(url=url, picture=picture, **(defaults | plan)))


# Closing on bytes that were not read is a reset, so that `close` is tried with few bytes only.
@pytest.mark.parametrize(
    ("behaviour", "part", "ends"),
    [
        (answer_408, "headers", {"by_status": {408: 20}}),
        (answer_408, "body", {"by_status": {408: 20}}),
        (reset, "headers", {"reset": 20}),
        (reset, "body", {"reset": 20}),
        (close, "headers", {"closed": 20}),
    ],
)
def test_connections_that_a_server_ends_are_counted_by_how(pictures, behaviour, part, ends):
    with serving(behaviour) as url:
        report = slowly(url, pictures[0], part=part)
    assert report == SlowReport(**(vars(NOTHING) | ends))


def test_connections_that_nobody_ends_are_still_open(pictures):
    with serving(wait) as url:
        # Within the bound all must be connected, on a busy machine too.
        report = slowly(url, pictures[0], connections=3, bound_s=2)
    assert report == SlowReport(**(vars(NOTHING) | {"still_open": 3}))


@pytest.mark.parametrize("part", ["headers", "body"])
def test_bytes_come_one_by_one_and_are_a_request(pictures, part):
    received: list[bytes] = []

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"X-Slow: aaa" if part == "headers" else b"\r\n\r\n")
        received.append(head)
        received.extend([await reader.read(500), await reader.read(500)])
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    with serving(collect) as url:
        report = slowly(url, pictures[0], part=part, connections=1, interval_s=0.005)
    assert report.by_status == {400: 1}
    head, *drops = received
    assert head.startswith(b"POST /v1/cartoons HTTP/1.1\r\nHost: 127.0.0.1:")
    assert f"Content-Length: {len(pictures[0].data)}\r\n".encode() in head
    assert all(len(drop) < 500 for drop in drops)
    if part == "body":
        assert pictures[0].data.startswith(b"".join(drops))


def test_a_server_that_is_not_there_accepts_none(pictures):
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert slowly(url, pictures[0], connections=3).unconnected == 3
