"""Client sockets that queue what a client has not read yet, within limits.

A response never holds a thread: what the kernel does not take at once is queued, and the worker's
event loop sends it when the client reads. A minimum rate, a deadline and a limit on the bytes in
all queues keep clients that do not read from using up the replica.
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
"""What the kernel may hold of one connection's responses; Linux allocates up to twice as much."""


@dataclass(frozen=True, slots=True)
class SendLimits:
    """How long a client may take to read a response."""

    idle_timeout: float
    """Seconds in which a client must read at least ``idle_timeout * min_rate`` bytes."""
    min_rate: int
    """Bytes per second."""
    timeout: float
    """Seconds for the whole response."""


class UnsentResponses:
    """The queued responses of all connections, within a limit of bytes. Thread-safe.

    A response that is larger than the limit is queued if it is the only one.
    """

    def __init__(self, limits: SendLimits, max_bytes: int) -> None:
        self.limits = limits
        self.max_bytes = max_bytes
        self._lock = Lock()
        self._bytes: dict[ClientSocket, int] = {}

    @property
    def total_bytes(self) -> int:
        """Bytes of all queued responses."""
        with self._lock:
            return sum(self._bytes.values())

    def hold(self, sock: "ClientSocket", size: int) -> None:
        """Count ``size`` more bytes of a connection; cut off others where they exceed the limit."""
        with self._lock:
            self._bytes[sock] = self._bytes.get(sock, 0) + size
            victims = self._victims(sock)
        for victim in victims:
            victim.cut_off(UnreadReason.MEMORY)

    def release(self, sock: "ClientSocket") -> None:
        """Count nothing of a connection any more."""
        with self._lock:
            self._bytes.pop(sock, None)

    def _victims(self, newest: "ClientSocket") -> "list[ClientSocket]":
        """Return the connections that have progressed least recently, as many as must go."""
        excess = sum(self._bytes.values()) - self.max_bytes
        victims = []
        for sock in sorted(self._bytes, key=lambda sock: sock.progressed_at):
            if excess <= 0:
                break
            if sock is not newest:
                victims.append(sock)
                excess -= self._bytes[sock]
        return victims


class ClientSocket(socket.socket):
    """An accepted connection whose ``sendall`` never blocks.

    One thread sends at a time: first the one that handles the request, then the event loop.
    ``cut_off`` may be called from any thread.
    """

    def __init__(self, accepted: socket.socket, unsent: UnsentResponses) -> None:
        """Take over an accepted connection."""
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._responses = unsent
        self._lock = Lock()
        self._queue: deque[memoryview] = deque()
        self._sent_bytes = 0
        self._began_at = 0.0
        self._mark = 0
        self._marked_at = 0.0
        self._seen_bytes = 0
        self.progressed_at = inf
        """When the client was last seen to have read something, a monotonic time."""
        self.unread: UnreadReason | None = None
        """Why the response could not be sent: the connection is of no more use."""
        self._callbacks: list[Callable[[UnreadReason | None], None]] = []

    def is_readable(self) -> bool:
        """Whether a read would not wait: there are bytes, or the client has gone."""
        try:
            self.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    @property
    def has_unsent(self) -> bool:
        """Whether something is queued, or was when the connection was cut off."""
        return bool(self._queue) or self.unread is not None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send what the kernel takes, and queue the rest; raise OSError if the client is gone."""
        with self._lock:
            if self.unread is not None:
                raise BrokenPipeError(errno.EPIPE, "The connection was cut off.")
            left = memoryview(data)
            if not self._queue:
                left = left[self._send_some(left, flags) :]
            if not left:
                return
            if not self._queue:
                self._began_at = self._marked_at = self.progressed_at = monotonic()
                self._mark = self._seen_bytes = self._delivered()
            self._queue.append(left)
        # Outside of the lock: it may cut off other connections, which take their own.
        self._responses.hold(self, len(data))

    def flush(self) -> bool:
        """Send what the kernel takes of the queue; return whether nothing is left or ever will."""
        with self._lock, suppress(OSError):  # The client has gone.
            while self.unread is None and self._queue:
                sent = self._send_some(self._queue[0])
                if sent < len(self._queue[0]):
                    self._queue[0] = self._queue[0][sent:]
                    return False
                self._queue.popleft()
        self._drop_queue()
        return True

    def overdue(self, ends_at: float = inf) -> UnreadReason | None:
        """Say why the client has had enough time for its response, if it has.

        ``ends_at`` is the monotonic time at which the replica has to exit.
        """
        now, limits = monotonic(), self._responses.limits
        if now >= ends_at:
            return UnreadReason.SHUTDOWN
        if now >= self._began_at + limits.timeout:
            return UnreadReason.DEADLINE
        delivered = self._delivered()
        if delivered > self._seen_bytes:
            self._seen_bytes, self.progressed_at = delivered, now
        if delivered - self._mark >= limits.idle_timeout * limits.min_rate:
            self._mark, self._marked_at = delivered, now
        if now >= self._marked_at + limits.idle_timeout:
            return UnreadReason.TOO_SLOW
        return None

    def cut_off(self, unread: UnreadReason) -> None:
        """End the connection and drop what is queued; the event loop then closes it."""
        with self._lock:
            if self.unread is None:
                self.unread = unread
        self._drop_queue()
        with suppress(OSError):  # The client may have gone meanwhile.
            # Closing resets the connection, so that the kernel drops what it holds of the response.
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.shutdown(socket.SHUT_RDWR)

    def after_sending(self, callback: Callable[[UnreadReason | None], None]) -> None:
        """Call back once, when the response that is being sent has ended; with why, if unread.

        An error of a callback is logged: it ends neither connection nor worker.
        """
        self._callbacks.append(callback)
        if not self.has_unsent:
            self.end_response()

    def end_response(self) -> None:
        """Tell those that wait for the end of the response how it ended."""
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback(self.unread)
            except Exception:
                logger.exception("a callback after a response failed")

    def _send_some(self, data: memoryview, flags: int = 0) -> int:
        """Send what the kernel takes now, and return how many bytes that is."""
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
        self._responses.release(self)

    def _delivered(self) -> int:
        """Return how many bytes the client's side has acknowledged."""
        try:
            answer = fcntl.ioctl(self, termios.TIOCOUTQ, struct.pack("i", 0))
        except OSError:
            return self._sent_bytes
        return self._sent_bytes - int(struct.unpack("i", answer)[0])
