"""Non-blocking client sockets: unread responses are queued within limits.

Slow readers hold no thread: what the kernel does not take at once is queued, and the worker's event
loop sends it when the client reads. A minimum rate, a deadline and a limit on all queued bytes
protect the replica from clients that do not read.
"""

import errno
import fcntl
import logging
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from threading import Lock
from time import monotonic
from typing import Any

from dctnet.metrics import UnreadReason

logger = logging.getLogger(__name__)

SEND_BUFFER_BYTES = 256 * 1024
"""Kernel send buffer of a connection, in bytes; Linux allocates up to twice as much."""


@dataclass(frozen=True, slots=True)
class SendLimits:
    """Limits on how slowly a client may read a response."""

    idle_timeout: float
    """Seconds in which a client must read at least ``idle_timeout * min_rate`` bytes."""
    min_rate: int
    """Bytes per second."""
    timeout: float
    """Seconds for the whole response."""


class UnsentResponses:
    """Queued responses of all connections, within a limit of bytes. Thread-safe.

    A response larger than the limit is queued if it is the only one.
    """

    def __init__(self, limits: SendLimits, max_bytes: int) -> None:
        self.limits = limits
        self.max_bytes = max_bytes
        self._lock = Lock()
        self._bytes: dict[ClientSocket, int] = {}

    @property
    def total_bytes(self) -> int:
        """Bytes in all queued responses."""
        with self._lock:
            return sum(self._bytes.values())

    def add(self, sock: "ClientSocket", size: int) -> None:
        """Count ``size`` more bytes of a connection; abort others beyond the limit."""
        with self._lock:
            self._bytes[sock] = self._bytes.get(sock, 0) + size
            candidates = self._eviction_candidates(sock)
        for candidate in candidates:
            candidate.abort(UnreadReason.MEMORY)

    def remove(self, sock: "ClientSocket") -> None:
        """Forget a connection."""
        with self._lock:
            self._bytes.pop(sock, None)

    def _eviction_candidates(self, newest: "ClientSocket") -> "list[ClientSocket]":
        """Return the connections to abort: those with the least recent progress."""
        excess = sum(self._bytes.values()) - self.max_bytes
        candidates = []
        for sock in sorted(self._bytes, key=lambda sock: sock.progressed_at):
            if excess <= 0:
                break
            if sock is not newest:
                candidates.append(sock)
                excess -= self._bytes[sock]
        return candidates


class ClientSocket(socket.socket):
    """Accepted connection whose ``sendall`` never blocks.

    One thread sends at a time: first the one that handles the request, then the event loop.
    ``abort`` may be called from any thread.
    """

    def __init__(self, accepted: socket.socket, unsent: UnsentResponses) -> None:
        """Take over an accepted connection."""
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._responses = unsent
        self._lock = Lock()
        self._queue: deque[memoryview] = deque()
        self._sent_bytes = 0
        self._started_at = 0.0
        self._window_bytes = 0
        self._window_started_at = 0.0
        self._acknowledged_bytes = 0
        self.progressed_at = inf
        """Monotonic time at which the client was last seen to read."""
        self.unread: UnreadReason | None = None
        """Why the response could not be sent; the connection is then closed."""
        self._callbacks: list[Callable[[UnreadReason | None], None]] = []

    def is_readable(self) -> bool:
        """Whether a read would not block: there are bytes, or the client has closed."""
        try:
            self.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    @property
    def has_unsent(self) -> bool:
        """Whether bytes are queued, or were when the connection was aborted."""
        return bool(self._queue) or self.unread is not None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send what the kernel takes and queue the rest; raise OSError after a disconnect."""
        with self._lock:
            if self.unread is not None:
                raise BrokenPipeError(errno.EPIPE, "The connection was cut off.")
            left = memoryview(data)
            if not self._queue:
                left = left[self._send_some(left, flags) :]
            if not left:
                return
            if not self._queue:
                self._started_at = self._window_started_at = self.progressed_at = monotonic()
                self._window_bytes = self._acknowledged_bytes = self._count_acknowledged()
            self._queue.append(left)
        # Outside of the lock: it may abort other connections, which take their own.
        self._responses.add(self, len(data))

    def flush(self) -> bool:
        """Send what the kernel takes of the queue; return whether the response has ended."""
        with self._lock, suppress(OSError):  # The client has disconnected.
            while self.unread is None and self._queue:
                sent = self._send_some(self._queue[0])
                if sent < len(self._queue[0]):
                    self._queue[0] = self._queue[0][sent:]
                    return False
                self._queue.popleft()
        self._drop_queue()
        return True

    def timeout_reason(self, shutdown_at: float = inf) -> UnreadReason | None:
        """Return why the response times out now, None if it does not.

        ``shutdown_at`` is the monotonic time at which the replica must exit.
        """
        now, limits = monotonic(), self._responses.limits
        if now >= shutdown_at:
            return UnreadReason.SHUTDOWN
        if now >= self._started_at + limits.timeout:
            return UnreadReason.DEADLINE
        acknowledged = self._count_acknowledged()
        if acknowledged > self._acknowledged_bytes:
            self._acknowledged_bytes, self.progressed_at = acknowledged, now
        if acknowledged - self._window_bytes >= limits.idle_timeout * limits.min_rate:
            self._window_bytes, self._window_started_at = acknowledged, now
        if now >= self._window_started_at + limits.idle_timeout:
            return UnreadReason.TOO_SLOW
        return None

    def abort(self, unread: UnreadReason) -> None:
        """Abort the connection and drop its queue; the event loop then closes it."""
        with self._lock:
            if self.unread is None:
                self.unread = unread
        self._drop_queue()
        with suppress(OSError):  # The client may have disconnected.
            # Closing then resets the connection, so that the kernel drops its send buffer.
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.shutdown(socket.SHUT_RDWR)

    def after_sending(self, callback: Callable[[UnreadReason | None], None]) -> None:
        """Call back once when the current response ends, with the reason if it is unread.

        Errors of a callback are logged and affect neither connection nor worker.
        """
        self._callbacks.append(callback)
        if not self.has_unsent:
            self.end_response()

    def end_response(self) -> None:
        """Call the callbacks of the response."""
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback(self.unread)
            except Exception:
                logger.exception("a callback after a response failed")

    def _send_some(self, data: memoryview, flags: int = 0) -> int:
        """Send what the kernel takes now; return the number of bytes."""
        sent = 0
        try:
            while sent < len(data):
                sent += self.send(data[sent:], flags | socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        except OSError:
            self.unread = UnreadReason.CLIENT_GONE
            raise
        finally:
            self._sent_bytes += sent
        return sent

    def _drop_queue(self) -> None:
        with self._lock:
            self._queue.clear()
        self._responses.remove(self)

    def _count_acknowledged(self) -> int:
        """Return the number of bytes that the client's system has acknowledged."""
        try:
            unacknowledged = fcntl.ioctl(self, termios.TIOCOUTQ, struct.pack("i", 0))
        except OSError:
            return self._sent_bytes
        return self._sent_bytes - int(struct.unpack("i", unacknowledged)[0])
