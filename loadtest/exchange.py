"""HTTP/1.1 client of the load test: one request and its outcome, without retries.

Own code, because a client in the container image may need nothing that the server does not.
"""

import asyncio
import email.utils
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit

from loadtest.images import SourceImage

TRUNCATED = "truncated"
"""Reason for a response whose body ends early."""

IDLE_TIMEOUT_S = 30
"""Idle time after which a connection is not used again, in seconds: below the server's 75 s, so
that no request races with the server closing the connection."""

MAX_HEAD_BYTES = 2**20
"""Maximum size of a response's status line and headers, in bytes."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response."""

    status: int
    content_type: str
    """Media type in lower case without parameters; empty if missing."""
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Reason for the lack of a complete response."""

    reason: str
    """``connect``, ``timeout``, ``reset``, ``protocol`` or TRUNCATED."""
    detail: str
    status: int | None = None
    """Set if the response headers were received."""
    retry_after: str | None = None


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0

    def is_usable(self) -> bool:
        """Whether the server has kept it open, and it was idle for less than the timeout."""
        idle_s = time.monotonic() - self.idle_since
        return idle_s < IDLE_TIMEOUT_S and not (
            self.reader.at_eof() or self.writer.transport.is_closing()
        )

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass(slots=True)
class _Head:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    keep_alive: bool = True


class _ProtocolError(Exception):
    """The response is not HTTP/1."""


class HttpClient:
    """Client with a limited number of kept-alive connections; an async context manager."""

    def __init__(
        self,
        *,
        timeout_s: float,
        connections: int,
        headers: Mapping[str, str] | None = None,
        keep_alive: bool = True,
        tls: SSLContext | None = None,
        source_address: str | None = None,
    ) -> None:
        """Take the request timeout in seconds, which includes the wait for a connection."""
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(connections)
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}
        self._keep_alive = keep_alive
        self._tls = tls
        self._source = (source_address, 0) if source_address else None
        self._idle: defaultdict[tuple[str, str], list[_Connection]] = defaultdict(list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()

    async def post_image(self, url: str, image: SourceImage) -> Response | Failure:
        """Post an image once; return after the last byte of the response."""
        target = urlsplit(url)
        head: _Head | None = None
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(self._timeout_s), self._free:
                try:
                    connection = await self._connect(target)
                except OSError as error:
                    reason = error.strerror or str(error) or type(error).__name__
                    return Failure("connect", f"{target.netloc} cannot be reached: {reason}.")
                connection.writer.write(self._request_head(target, image))
                connection.writer.write(image.data)
                head = await _read_head(connection.reader)
                response = await self._read_response(target, connection, head)
                connection = None
                return response
        except TimeoutError:
            return _failure("timeout", "The response was not complete in time.", head)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            if head:
                return _failure(TRUNCATED, _sentence(error), head)
            return Failure("reset", _sentence(error))
        except _ProtocolError as error:
            return Failure("protocol", f"The response is not HTTP: {error}.")
        finally:
            if connection:
                connection.close()

    async def _connect(self, target: SplitResult) -> _Connection:
        idle = self._idle[target.scheme, target.netloc]
        while idle:
            connection = idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        is_https = target.scheme == "https"
        return _Connection(
            *await asyncio.open_connection(
                target.hostname,
                target.port or (443 if is_https else 80),
                ssl=(self._tls or True) if is_https else None,
                limit=MAX_HEAD_BYTES,
                local_addr=self._source,
            )
        )

    def _request_head(self, target: SplitResult, image: SourceImage) -> bytes:
        headers = {"host": target.netloc.rpartition("@")[2], "user-agent": "dctnet-load"}
        headers |= self._headers
        headers |= {"content-type": image.media_type, "content-length": str(len(image.data))}
        if not self._keep_alive:
            headers["connection"] = "close"
        path = target._replace(scheme="", netloc="", fragment="").geturl() or "/"
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def _read_response(
        self, target: SplitResult, connection: _Connection, head: _Head
    ) -> Response:
        body, is_delimited = await _read_body(connection.reader, head)
        # A response before the end of the upload leaves the connection in an unknown state.
        is_sent = not connection.writer.transport.get_write_buffer_size()
        if self._keep_alive and head.keep_alive and is_delimited and is_sent:
            connection.idle_since = time.monotonic()
            self._idle[target.scheme, target.netloc].append(connection)
        else:
            connection.close()
        return Response(
            head.status,
            head.headers.get("content-type", "").partition(";")[0].strip().lower(),
            head.headers.get("retry-after"),
            body,
        )


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    """Read the head of the final response, past interim ones."""
    while True:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise
            lines = [error.partial.decode("latin-1")]
        match = re.match(r"HTTP/1\.([01]) (\d{3})\b", lines[0])
        if not match:
            raise _ProtocolError(f"it starts with {lines[0][:40]!r}")
        if match[2].startswith("1"):
            continue
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        options = headers.get("connection", "" if match[1] == "1" else "close").lower()
        return _Head(int(match[2]), headers, keep_alive="close" not in options)


async def _read_body(reader: asyncio.StreamReader, head: _Head) -> tuple[bytes, bool]:
    """Return the body, and whether its end was delimited by other than the connection's end."""
    if head.status in {204, 304}:
        return b"", True
    if "chunked" in head.headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader), True
    if length := head.headers.get("content-length"):
        return await reader.readexactly(int(length)), True
    return await reader.read(), False


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readuntil(b"\r\n")
    while await reader.readuntil(b"\r\n") != b"\r\n":  # Trailers.
        pass
    return b"".join(chunks)


def _failure(reason: str, detail: str, head: _Head | None) -> Failure:
    if head is None:
        return Failure(reason, detail)
    return Failure(reason, detail, head.status, head.headers.get("retry-after"))


def _sentence(error: BaseException) -> str:
    return f"{str(error).removesuffix('.') or type(error).__name__}."


def is_valid_retry_after(value: str | None) -> bool:
    """Whether this is a valid ``Retry-After``: seconds or a date (RFC 9110)."""
    if value is None:
        return False
    if value.isascii() and value.isdigit():
        return True
    try:
        email.utils.parsedate_to_datetime(value)
    except ValueError:
        return False
    return True
