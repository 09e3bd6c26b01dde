"""Single-threaded HTTP/1.1 server for short requests, with bounded resources.

It serves prompt clients whatever others do: each step of a connection has a deadline, and at the
connection limit the client with most connections loses its oldest. It starts no thread, and keeps
a few file descriptors in reserve.
"""

import errno
import logging
import os
import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from time import monotonic
from typing import NoReturn

from dctnet.config import Address
from dctnet.ip_addresses import client_of, parse_address
from dctnet.server.listener import listen
from dctnet.units import KIB

logger = logging.getLogger(__name__)

TIMEOUT_S = 10
"""Seconds for a request, with the wait for it, and then for its response."""

MAX_CONNECTIONS = 64
"""Connection limit. The probes and Prometheus need four."""

MAX_HEAD_BYTES = 8 * KIB
"""Limit of a request head in bytes. A kubelet or Prometheus sends less than 1 KiB."""

LINGER_S = 1
"""Seconds that a client may take to close after its last response (RFC 9112, 9.6)."""

RESERVED_DESCRIPTORS = 4
"""File descriptors to free for connections when the process has no others left."""

PAUSE_S = 0.1
"""Seconds until the next attempt after a shortage or an error."""

_BACKLOG = 128
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_TOO_LARGE = b"""HTTP/1.1 431 Request Header Fields Too Large\r
Content-Length: 0\r
Connection: close\r
\r
"""


@dataclass(frozen=True, slots=True)
class Response:
    """Complete response, and whether the connection closes after it."""

    data: bytes
    is_last: bool


Respond = Callable[[bytes, bool], Response]
"""Takes a request head, and whether its response must be the last; raises nothing."""


class _Step(Enum):
    """Step of a connection: what it waits for."""

    REQUEST = auto()
    RESPONSE = auto()
    END = auto()


@dataclass(eq=False, slots=True)
class _Connection:
    """Client connection; its deadline is for its current step."""

    sock: socket.socket
    client: object
    """The client's IPv4 address or IPv6 network."""
    deadline: float
    step: _Step = _Step.REQUEST
    received: bytes = b""
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    is_last: bool = False


class SingleThreadServer:
    """Listens from its creation on, and responds while `serve` runs."""

    def __init__(self, address: Address, respond: Respond) -> None:
        """Listen; raise OSError if the address cannot be bound."""
        self._respond = respond
        self._listener = listen(address, _BACKLOG)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._connections: set[_Connection] = set()
        self._reserve: list[int] = []
        self._refill_reserve()

    def serve(self) -> NoReturn:
        """Serve until the process exits."""
        while True:
            try:
                self._serve_round()
            except Exception:  # Such as MemoryError: probes must work afterwards.
                with suppress(Exception):
                    logger.exception("a round of the server failed")
                time.sleep(PAUSE_S)

    def stop_listening(self) -> None:
        """Close the listener, from any thread; accepted connections stay open."""
        self._selector.unregister(self._listener)
        self._listener.close()

    def _serve_round(self) -> None:
        deadlines = [connection.deadline for connection in self._connections]
        timeout = max(0.0, min(deadlines) - monotonic()) if deadlines else None
        for key, _ in self._selector.select(timeout):
            connection: _Connection | None = key.data
            if connection is None:
                self._accept()
            elif connection in self._connections:  # It may have been evicted in this round.
                self._handle_event(connection)
        now = monotonic()
        for connection in [each for each in self._connections if each.deadline <= now]:
            self._close(connection)

    # Connections.

    def _accept(self) -> None:
        """Accept one client, and respond if its request has arrived already.

        One at a time: without file descriptors `accept` fails even if no client waits.
        """
        try:
            sock, (host, *_) = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # With any other error this client has disconnected.
            if error.errno in _SHORTAGES and not self._free_descriptor():
                time.sleep(PAUSE_S)
                self._refill_reserve()
            return
        if len(self._connections) == MAX_CONNECTIONS:
            self._close(self._eviction_candidate())
        sock.setblocking(False)
        client = client_of(parse_address(host))
        connection = _Connection(sock, client, monotonic() + TIMEOUT_S)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self._connections.add(connection)
        self._handle_event(connection)

    def _free_descriptor(self) -> bool:
        """Free a file descriptor for the next round; return whether one could be freed."""
        if self._reserve:
            os.close(self._reserve.pop())
        elif self._connections:
            self._remove(self._eviction_candidate())
        else:
            return False
        return True

    def _eviction_candidate(self) -> _Connection:
        """Return a lingering connection, else the oldest of the client with most of them."""
        held = Counter(connection.client for connection in self._connections)
        return min(
            self._connections,
            key=lambda each: (each.step is not _Step.END, -held[each.client], each.deadline),
        )

    def _close(self, connection: _Connection) -> None:
        self._remove(connection)
        self._refill_reserve()

    def _remove(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        self._selector.unregister(connection.sock)
        connection.sock.close()

    def _refill_reserve(self) -> None:
        with suppress(OSError):
            while len(self._reserve) < RESERVED_DESCRIPTORS:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY))

    # One connection: request, response, and again; linger after the last response.

    def _handle_event(self, connection: _Connection) -> None:
        """Continue a connection's step as far as possible without blocking."""
        try:
            if connection.step is _Step.REQUEST:
                self._receive(connection)
            elif connection.step is _Step.RESPONSE:
                self._send(connection)
            elif not connection.sock.recv(MAX_HEAD_BYTES):
                self._close(connection)
        except BlockingIOError:
            pass
        except OSError:  # The client has disconnected.
            self._close(connection)

    def _receive(self, connection: _Connection) -> None:
        data = connection.sock.recv(MAX_HEAD_BYTES + 1 - len(connection.received))
        if not data:
            self._close(connection)
            return
        # Empty lines before a request are ignored (RFC 9112, 2.2).
        received = connection.received = (connection.received + data).lstrip(b"\r\n")
        if (end := _END_OF_HEAD.search(received)) and end.end() <= MAX_HEAD_BYTES:
            # A pipelining client would delay the others.
            response = self._respond(received[: end.end()], len(received) > end.end())
        elif len(received) > MAX_HEAD_BYTES:
            response = Response(_TOO_LARGE, is_last=True)
        else:
            return
        connection.received = b""
        connection.unsent = memoryview(response.data)
        connection.is_last = response.is_last
        self._enter_step(connection, _Step.RESPONSE, TIMEOUT_S)
        self._send(connection)

    def _send(self, connection: _Connection) -> None:
        while connection.unsent:
            sent = connection.sock.send(connection.unsent)
            connection.unsent = connection.unsent[sent:]
        if connection.is_last:
            connection.sock.shutdown(socket.SHUT_WR)
            self._enter_step(connection, _Step.END, LINGER_S)
        else:
            self._enter_step(connection, _Step.REQUEST, TIMEOUT_S)

    def _enter_step(self, connection: _Connection, step: _Step, timeout: float) -> None:
        connection.step = step
        connection.deadline = monotonic() + timeout
        event = selectors.EVENT_WRITE if step is _Step.RESPONSE else selectors.EVENT_READ
        self._selector.modify(connection.sock, event, connection)
