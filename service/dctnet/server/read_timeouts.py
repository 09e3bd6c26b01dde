"""Slow-client protection: deadline for request headers, minimum rate for bodies."""

import io
import select
import socket
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any, Protocol

from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    NoMoreData,
    ParseException,
)
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest

from dctnet.api.connection import ReadTimeout, UploadAborted
from dctnet.metrics import UnreadReason
from dctnet.server.client_socket import ClientSocket
from dctnet.server.head_limits import MAX_HEAD_BYTES

POLL_INTERVAL_S = 0.25
"""Interval at which a waiting reader checks its deadline again, in seconds."""

CROWDED_IDLE_FACTOR = 0.2
"""Factor of a body's idle timeout while other requests wait to send theirs."""

CHUNK_BYTES = 8192
"""Bytes per read without a size hint, as in Gunicorn."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ReadDeadline(Protocol):
    """Deadline and size limit of what a client sends next."""

    max_bytes: float
    """Size limit, in bytes."""

    def expires_at(self, received: int) -> float:
        """Return the monotonic time by which more bytes must arrive."""
        ...


class HeaderDeadline:
    """One deadline for all headers of a request, within ``MAX_HEAD_BYTES``."""

    max_bytes: float = MAX_HEAD_BYTES

    def __init__(self, timeout: float) -> None:
        self._expires_at = monotonic() + timeout

    def expires_at(self, received: int) -> float:  # noqa: ARG002 - Independent of progress.
        """Return the deadline."""
        return self._expires_at


class MinimumUploadRate:
    """Idle timeout and minimum rate of a body; shorter while other uploads wait.

    Each received byte extends the deadline by its time at the minimum rate.
    """

    max_bytes: float = inf

    def __init__(
        self, idle_timeout: float, rate: int, deadline: float, crowded: Callable[[], bool]
    ) -> None:
        """``idle_timeout`` in s, ``rate`` in bytes per second, ``deadline`` monotonic."""
        self._started_at = monotonic()
        self._idle_timeout = idle_timeout
        self._rate = rate
        self._deadline = deadline
        self._crowded = crowded

    def expires_at(self, received: int) -> float:
        """Return when the body is too slow or its request misses its deadline."""
        idle_timeout = (
            self._idle_timeout * CROWDED_IDLE_FACTOR if self._crowded() else self._idle_timeout
        )
        return min(self._started_at + idle_timeout + received / self._rate, self._deadline)


class TimedUnreader(SocketUnreader):  # type: ignore[misc]  # Gunicorn has no types.
    """Gunicorn's reader of a connection, with a deadline and a size limit.

    Raises ReadTimeout or LimitRequestHeaders beyond them.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._deadline_rule: ReadDeadline | None = None
        self._received = 0

    def set_deadline(self, deadline: ReadDeadline) -> None:
        """Set the deadline from now on; bytes that were read ahead count."""
        self._deadline_rule = deadline
        self._received = self.buf.tell()

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes from the client, b"" at the end of the stream."""
        while self._deadline_rule is not None:
            room = self._deadline_rule.max_bytes - self._received
            if room <= 0:
                raise LimitRequestHeaders(f"The head has more than {MAX_HEAD_BYTES} bytes.")
            left = self._deadline_rule.expires_at(self._received) - monotonic()
            if left <= 0:
                raise ReadTimeout
            self.sock.settimeout(min(left, POLL_INTERVAL_S))
            self.mxchunk = int(min(CHUNK_BYTES, room))
            try:
                data: bytes = super().chunk(size_hint)
            except TimeoutError:
                continue
            finally:
                self.sock.settimeout(None)
            self._received += len(data)
            return data
        return bytes(super().chunk(size_hint))


class RequestBody(io.RawIOBase):
    """Request body, as WSGI input, with access to its connection.

    Sends 100 Continue only when it is read (RFC 9110, 10.1.1), so that a rejected body is never
    sent.
    """

    def __init__(
        self,
        request: Any,
        sock: ClientSocket,
        unreader: TimedUnreader,
        idle_timeout: float,
        rate: int,
    ) -> None:
        """Take over `Expect: 100-continue` from Gunicorn's request."""
        self._request = request
        self._body = request.body
        self._socket = sock
        self._unreader = unreader
        self._idle_timeout = idle_timeout
        self._rate = rate
        self._expects_continue = bool(request._expected_100_continue)  # noqa: SLF001
        request._expected_100_continue = False  # noqa: SLF001
        headers = dict(request.headers)
        chunked = "TRANSFER-ENCODING" in headers  # It overrides a length (RFC 9112, 6.3).
        self._remaining = None if chunked else int(headers.get("CONTENT-LENGTH", 0))
        self._finished = self._remaining == 0
        self._sends_interim = request.version >= (1, 1)
        self._interim_sent = False

    @property
    def failed(self) -> bool:
        """Whether the start of the next request on the connection is unknown."""
        return not self._finished

    def begin(self, deadline: float, crowded: Callable[[], bool]) -> None:
        """Apply the upload limits from now on; raise UploadAborted after a disconnect."""
        self._unreader.set_deadline(
            MinimumUploadRate(self._idle_timeout, self._rate, deadline, crowded)
        )
        if self._expects_continue:
            self._expects_continue = False
            try:
                self._socket.sendall(CONTINUE)
            except OSError:
                raise UploadAborted from None

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, or all that is left; raise ReadTimeout or UploadAborted."""
        if self._remaining is None:
            return self._read_chunked(size)
        requested = self._remaining if size < 0 else min(size, self._remaining)
        data: bytes = self._body.read(requested)
        if len(data) < requested:
            raise UploadAborted
        self._remaining -= requested
        self._finished = self._remaining == 0
        return data

    def _read_chunked(self, size: int) -> bytes:
        try:
            data: bytes = self._body.read(None if size < 0 else size)
        except NoMoreData:
            raise UploadAborted from None
        except ParseException:
            raise BadRequest("The body's chunks are malformed.") from None
        self._finished = size < 0 or len(data) < size
        return data

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, for buffered readers."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def is_open(self) -> bool:
        """Return whether the client may still read the response.

        A client that sends nothing more has closed the connection, or half of it. It gets an
        interim response, to which a closed connection answers with a reset. HTTP/1.0 has none:
        there, half-closed counts as closed.
        """
        try:
            if self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                return True
            if not self._sends_interim:
                return False
            if not self._interim_sent:
                self._interim_sent = True
                self._socket.sendall(CONTINUE)
            # Reading still returns the end of the stream after a reset.
            poll = select.poll()
            poll.register(self._socket.fileno(), 0)
            return not poll.poll(0)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close_after_response(self) -> None:
        """Close the connection after this response, with `Connection: close`."""
        self._request.force_close()

    def after_sending(self, callback: Callable[[UnreadReason | None], None]) -> None:
        """Call back once when the response is sent, or aborted: then with the reason."""
        self._socket.after_sending(callback)

    @property
    def finished(self) -> bool:
        """Whether the whole body was read."""
        return self._finished
