"""Hostile clients in a separate process: all kinds of attack at once.

Each client reconnects as soon as the server closes its connection.
"""

import asyncio
import itertools
import os
import random
import select
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from threading import Lock, Thread
from typing import TYPE_CHECKING, Literal

from benchmarks import hostile_images
from dctnet.units import KIB
from loadtest import file_descriptors, slow_clients
from loadtest.exchange import HttpClient, Response
from loadtest.images import SourceImage, generate_images
from loadtest.slow_clients import SlowPlan

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Address = tuple[str, int]
Counts = Mapping[tuple[str, str], int]
"""Number of outcomes, by kind of client and outcome."""

NICENESS = 10
"""Leaves the CPUs to the replica, since real attackers have their own machines."""

PROFILE_CLIENTS = 16
CROWD = 60
"""Number of clients with ordinary images that ignore `Retry-After`."""
CROWD_ADDRESS = "127.0.0.6"
HEAVY_ADDRESS = "127.0.0.7"
"""Source address of the 40 MP images, which would otherwise exceed the quota of the others."""
SILENT_READERS = 100
TRICKLE_READERS = 20
SLOW_SENDERS = 100
"""Number of clients with slow headers, and of clients with slow bodies."""
IDLE = 250
"""Number of clients that never send a byte, and of clients that idle after one request."""
UNFINISHED_HEADS = 50
MANAGEMENT_SLOW = 20
MANAGEMENT_IDLE = 40
MANAGEMENT_MALFORMED = 10
CONNECTIONS = 1500
"""Limit of open files; above the number of concurrent connections."""

RECONNECT_DELAY_S = 0.5
"""Delay from the end of a connection to the next one, in seconds."""

IMAGE_TIMEOUT_S = 120
HOLD_S = 90
"""Maximum time that a client holds a connection, in seconds."""

RECEIVED_BYTES = 4096
"""Receive buffer of a client that does not read, in bytes."""

PIPELINED = 40
"""Pipelined requests of a slow reader; their responses exceed the kernel's buffers."""

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
UNFINISHED = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ".ljust(32 * KIB - 64, b"a")

MALFORMED = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"GET /livez\r\n\r\n",
    b"GET /livez HTTP/9.9\r\n\r\n",
    b"GET " + b"a" * 9000,
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost : x\r\n no name\r\n\r\n",
    b"\0" * 100 + b"\r\n\r\n",
    b"\r\n" * 100,
)


@dataclass(frozen=True)
class Result:
    """Outcomes of the attack."""

    counts: Counts
    cpu_s: float
    """CPU time of the attacking process, in seconds."""


class HostileClients:
    """Handle of the process of hostile clients."""

    def __init__(self, pipe: "Connection[str, Result]") -> None:
        self._pipe = pipe

    def start(self) -> None:
        """Start the attack."""
        self._pipe.send("start")

    def stop(self) -> Result:
        """Stop the attack, closing all connections at once."""
        self._pipe.send("stop")
        return self._pipe.recv()


@contextmanager
def spawn_hostile_clients(server: Address, management: Address) -> Iterator[HostileClients]:
    """Start the process, wait until its images are generated, and kill it at exit."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, server, management), daemon=True)
    process.start()
    try:
        ours.recv()
        yield HostileClients(ours)
    finally:
        process.kill()
        process.join()


def _run(pipe: "Connection[Result | str, str]", server: Address, management: Address) -> None:
    os.nice(NICENESS)
    file_descriptors.raise_limit(CONNECTIONS)
    attack = _Attack(server, management)
    pipe.send("ready")
    pipe.recv()
    started_s = time.process_time()
    attack.start()
    pipe.recv()
    pipe.send(Result(attack.counts(), time.process_time() - started_s))
    os._exit(0)


class _Attack:
    def __init__(self, server: Address, management: Address) -> None:
        self._server = server
        self._management = management
        self._url = "http://{}:{}/v1/cartoons".format(*server)
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._profiles = hostile_images.with_costly_profiles()
        self._decoders = hostile_images.with_large_decoders()
        (self._ordinary,) = generate_images(1, 512, 512)
        self._thin = hostile_images.thin_jpeg()
        self._noise = hostile_images.large_jpeg()

    def counts(self) -> Counts:
        with self._lock:
            return dict(self._counts)

    def start(self) -> None:
        """Start daemon threads."""
        parts: tuple[Literal["headers", "body"], ...] = ("headers", "body")
        for part in parts:
            Thread(target=self._send_slowly, args=(part,), daemon=True).start()
        Thread(target=asyncio.run, args=(self._attack(),), daemon=True).start()

    def _count(self, kind: str, outcome: str, number: int = 1) -> None:
        with self._lock:
            self._counts[kind, outcome] += number

    def _send_slowly(self, part: Literal["headers", "body"]) -> None:
        kind = f"slow sender of {part}"
        plan = SlowPlan(
            url=self._url,
            connections=SLOW_SENDERS,
            part=part,
            image=self._ordinary,
            bound_s=HOLD_S,
        )
        while True:
            report = slow_clients.run(plan)
            for status, number in report.by_status.items():
                self._count(kind, str(status), number)
            self._count(kind, "closed", report.closed)
            self._count(kind, "reset", report.reset)
            self._count(kind, "still open", report.still_open)
            self._count(kind, "not connected", report.unconnected)

    async def _attack(self) -> None:
        def client(address: str | None = None) -> HttpClient:
            return HttpClient(
                timeout_s=IMAGE_TIMEOUT_S, connections=CONNECTIONS, source_address=address
            )

        async with (
            client() as others,
            client(CROWD_ADDRESS) as crowd,
            client(HEAVY_ADDRESS) as heavy,
            asyncio.TaskGroup() as tasks,
        ):

            def repeat(kind: str, number: int, attempt: Callable[[], Awaitable[str]]) -> None:
                for _ in range(number):
                    tasks.create_task(self._repeat(kind, attempt))

            def images(
                http: HttpClient,
                kind: str,
                number: int,
                of: Sequence[SourceImage],
                query: str = "",
            ) -> None:
                images = itertools.cycle(random.Random(0).sample(of, len(of)))  # noqa: S311 - Shuffles the order.
                url = self._url + query
                repeat(kind, number, lambda: _cartoon(http, url, next(images)))

            images(crowd, "crowd", CROWD, [self._ordinary])
            server, management = self._server, self._management
            images(others, "costly ICC profile", PROFILE_CLIENTS, self._profiles)
            images(others, "large decoder", 1, self._decoders)
            images(heavy, "thin JPEG of 40 MP", 1, [self._thin])
            images(heavy, "40 MP of noise to WebP", 1, [self._noise], "?format=webp")
            pipelined = GET % b"/openapi.json" * PIPELINED
            repeat("silent reader", SILENT_READERS, lambda: _read_slowly(server, pipelined, 0))
            repeat("reader of 1 B/s", TRICKLE_READERS, lambda: _read_slowly(server, pipelined, 1))
            repeat("idle", IDLE, lambda: _hold(server, b""))
            repeat("idle after a request", IDLE, lambda: _hold(server, GET % b"/health"))
            repeat("unfinished head of 32 KiB", UNFINISHED_HEADS, lambda: _hold(server, UNFINISHED))
            malformed = itertools.cycle(MALFORMED)
            repeat("management, idle", MANAGEMENT_IDLE, lambda: _hold(management, b""))
            repeat(
                "management, malformed",
                MANAGEMENT_MALFORMED,
                lambda: _hold(management, next(malformed)),
            )
            livez = GET % b"/livez"
            repeat(
                "management, 1 B/s", MANAGEMENT_SLOW, lambda: _hold(management, b"", slowly=livez)
            )

    async def _repeat(self, kind: str, attempt: Callable[[], Awaitable[str]]) -> None:
        await asyncio.sleep(random.uniform(0, RECONNECT_DELAY_S))  # noqa: S311 - Spreads the load.
        while True:
            try:
                outcome = await attempt()
            except ConnectionRefusedError:
                outcome = "not connected"
            except TimeoutError:
                outcome = "still open"
            except OSError:
                outcome = "reset"
            except Exception as error:  # One kind of client must not stop the others.
                outcome = repr(error)
            self._count(kind, outcome)
            await asyncio.sleep(RECONNECT_DELAY_S)


async def _cartoon(http: HttpClient, url: str, image: SourceImage) -> str:
    result = await http.post_image(url, image)
    return str(result.status) if isinstance(result, Response) else result.reason


async def _hold(address: Address, at_once: bytes, slowly: bytes = b"") -> str:
    """Hold a connection until the server closes it; return the status, if any."""
    reader, writer = await asyncio.open_connection(*address)
    dripping = asyncio.create_task(_drip(writer, slowly))
    try:
        writer.write(at_once)
        async with asyncio.timeout(HOLD_S):
            data = await reader.read(2**16)
            outcome = data[9:12].decode("latin-1") if data.startswith(b"HTTP/") else "closed"
            while data:
                data = await reader.read(2**16)
            return outcome
    finally:
        dripping.cancel()
        writer.transport.abort()


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(1)


async def _read_slowly(address: Address, request: bytes, bytes_per_second: int) -> str:
    """Read nothing, or a few bytes per second, until the server closes the connection."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        client.setblocking(False)
        await loop.sock_connect(client, address)
        await loop.sock_sendall(client, request)
        hang_up = select.poll()
        hang_up.register(client, select.POLLRDHUP)
        for _ in range(HOLD_S):
            await asyncio.sleep(1)
            if hang_up.poll(0):
                return "cut off"
            if bytes_per_second:
                try:
                    client.recv(bytes_per_second)
                except BlockingIOError:
                    continue
    return "still open"
