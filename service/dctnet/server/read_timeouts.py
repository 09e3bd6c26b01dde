"""What a client sends, read within time: its headers, then its body."""

import io
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

POLL_INTERVAL_S = 0.25
"""How often a reader that gets nothing looks whether its rule has changed, in seconds."""

CROWDED_IDLE_SHARE = 0.2
"""What is left of the grace of a body while other requests wait to send theirs."""

CHUNK_BYTES = 8192
"""How many bytes are read at once where no one says how many are wanted, as in Gunicorn."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


MAX_HEAD_BYTES = 32 * 1024
"""The longest head of a request: its first line and all of its headers."""


class ReadDeadline(Protocol):
    """How long the next bytes may take, and how many may come."""

    max_bytes: float
    """Bytes in all."""

    def until(self, received: int) -> float:
        """Return until when more must come, a monotonic time, after so many bytes."""
        ...


class HeaderDeadline:
    """All headers of a request within one time and ``MAX_HEAD_BYTES``."""

    max_bytes: float = MAX_HEAD_BYTES

    def __init__(self, timeout: float) -> None:
        self._until = monotonic() + timeout

    def until(self, received: int) -> float:  # noqa: ARG002 - However many came.
        """Return when they must have come."""
        return self._until


class MinimumUploadRate:
    """A first byte soon, and then a least rate; a shorter patience while others wait for a turn.

    Each byte that came buys the time that it may take at the least rate.
    """

    max_bytes: float = inf

    def __init__(
        self, grace: float, rate: int, deadline: float, crowded: Callable[[], bool]
    ) -> None:
        """``grace`` is in seconds, ``rate`` in bytes a second, ``deadline`` a monotonic time."""
        self._began = monotonic()
        self._grace = grace
        self._rate = rate
        self._deadline = deadline
        self._crowded = crowded

    def until(self, received: int) -> float:
        """Return when the body has become too slow, or its request too late."""
        grace = self._grace * CROWDED_IDLE_SHARE if self._crowded() else self._grace
        return min(self._began + grace + received / self._rate, self._deadline)


class TimedUnreader(SocketUnreader):  # type: ignore[misc]  # Gunicorn has no types.
    """Gunicorn's reader of a connection, within a rule.

    Raises ReadTimeout or LimitRequestHeaders where the rule is broken.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._rule: ReadDeadline | None = None
        self._received = 0

    def apply(self, rule: ReadDeadline) -> None:
        """Let a rule hold from now on; what was read ahead counts for it."""
        self._rule = rule
        self._received = self.buf.tell()

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return what the client has sent, at most a large piece; b"" where it has ended."""
        while self._rule is not None:
            room = self._rule.max_bytes - self._received
            if room <= 0:
                raise LimitRequestHeaders(f"The head has more than {MAX_HEAD_BYTES} bytes.")
            left = self._rule.until(self._received) - monotonic()
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
    """The body of a request, as WSGI's input; knows the connection that it comes from.

    Asks the client for it only when it is read (RFC 9110, 10.1.1), so that a rejection spares both
    sides the body.
    """

    def __init__(
        self, request: Any, sock: ClientSocket, unreader: TimedUnreader, grace: float, rate: int
    ) -> None:
        """Take Gunicorn's request, which expects nothing any more: this body answers it."""
        self._request = request
        self._body = request.body
        self._socket = sock
        self._unreader = unreader
        self._grace = grace
        self._rate = rate
        self._to_continue = bool(request._expected_100_continue)  # noqa: SLF001
        request._expected_100_continue = False  # noqa: SLF001
        headers = dict(request.headers)
        chunked = "TRANSFER-ENCODING" in headers  # It wins over a length (RFC 9112, 6.3).
        self._left = None if chunked else int(headers.get("CONTENT-LENGTH", 0))
        self._finished = self._left == 0

    @property
    def failed(self) -> bool:
        """Whether the place of the next request on the connection is unknown."""
        return not self._finished

    def begin(self, deadline: float, crowded: Callable[[], bool]) -> None:
        """Read within the rules from now on; raise UploadAborted if the client is gone."""
        self._unreader.apply(MinimumUploadRate(self._grace, self._rate, deadline, crowded))
        if self._to_continue:
            self._to_continue = False
            try:
                self._socket.sendall(CONTINUE)
            except OSError:
                raise UploadAborted from None

    def readable(self) -> bool:
        """Say so to whoever wraps it."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, or all that is left; raise ReadTimeout or UploadAborted."""
        if self._left is None:
            return self._read_chunked(size)
        wanted = self._left if size < 0 else min(size, self._left)
        data: bytes = self._body.read(wanted)
        if len(data) < wanted:
            raise UploadAborted
        self._left -= wanted
        self._finished = self._left == 0
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
        """Read into a buffer, as buffered readers ask."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def is_open(self) -> bool:
        """Say whether the client is still there; a half-closed connection counts as gone."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close_after_response(self) -> None:
        """Let this answer be the last one on the connection, and say so in it."""
        self._request.force_close()

    def after_sending(self, callback: Callable[[UnreadReason | None], None]) -> None:
        """Call back once, when the response is sent or given up: then with the reason."""
        self._socket.after_sending(callback)

    @property
    def finished(self) -> bool:
        """Whether the whole body was read."""
        return self._finished
