"""Client sockets: queued responses, timeouts and limits of slow readers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dctnet.metrics import UnreadReason
from dctnet.server import client_socket
from dctnet.server.client_socket import ClientSocket, SendLimits, UnsentResponses

BUFFER = 64 * 1024
LARGE = bytes(1024 * 1024)
LIMITS = SendLimits(idle_timeout=10, min_rate=40_000, timeout=60)
"""At this rate a client must read several kernel buffers within the idle timeout."""


class Pair:
    """A client's socket of the server, and the client."""

    def __init__(self, unsent: UnsentResponses, stack: ExitStack) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            self.client = socket.socket()
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            self.client.settimeout(10)
            self.client.connect(listener.getsockname())
            self.server = ClientSocket(listener.accept()[0], unsent)
        self.ends: list[UnreadReason | None] = []
        stack.enter_context(self.client)
        stack.enter_context(self.server)

    def read(self, size: int) -> bytes:
        """Read as the client, while the server sends."""
        received = b""
        while len(received) < size:
            if self.server.fileno() >= 0:
                self.server.flush()
            received += self.client.recv(size - len(received))
        return received


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(client_socket, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def one(stack: ExitStack) -> Pair:
    return Pair(UnsentResponses(LIMITS, max_bytes=10 * len(LARGE)), stack)


def test_response_within_the_kernel_buffer_queues_nothing(one):
    one.server.sendall(b"hello")
    one.server.after_sending(one.ends.append)
    assert one.ends == [None]
    assert not one.server.has_unsent
    assert one.client.recv(10) == b"hello"


def test_excess_is_queued_and_sent_in_order(one):
    pieces = [bytes([n]) * 300_000 for n in range(5)]
    for piece in pieces:
        one.server.sendall(piece)
    one.server.after_sending(one.ends.append)
    assert (one.server.has_unsent, one.ends) == (True, [])
    assert one.read(5 * 300_000) == b"".join(pieces)
    assert one.server.flush()
    one.server.end_response()
    assert (one.server.has_unsent, one.ends) == (False, [None])
    assert one.server._responses.total_bytes == 0


def test_silent_reader_is_too_slow_after_the_idle_timeout(one, clock):
    one.server.sendall(LARGE)
    clock[0] += LIMITS.idle_timeout - 0.01
    assert one.server.timeout_reason() is None
    clock[0] += 0.01
    assert one.server.timeout_reason() is UnreadReason.TOO_SLOW


@pytest.mark.parametrize(("share", "reason"), [(0.5, UnreadReason.TOO_SLOW), (1.5, None)])
def test_minimum_response_rate(one, clock, share, reason):
    one.server.sendall(LARGE)
    one.read(int(share * LIMITS.idle_timeout * LIMITS.min_rate))
    clock[0] += LIMITS.idle_timeout
    assert one.server.timeout_reason() is reason


def test_response_timeout_applies_to_fast_readers(one, clock):
    one.server.sendall(LARGE)
    one.server.sendall(LARGE)
    clock[0] += LIMITS.timeout - 0.01
    one.read(len(LARGE))
    assert one.server.timeout_reason() is None
    clock[0] += 0.01
    assert one.server.timeout_reason() is UnreadReason.DEADLINE


def test_shutdown_is_a_deadline_for_every_response(one, clock):
    one.server.sendall(LARGE)
    assert one.server.timeout_reason(shutdown_at=clock[0] + 0.01) is None
    assert one.server.timeout_reason(shutdown_at=clock[0]) is UnreadReason.SHUTDOWN


def test_aborted_connection_drops_its_queue_and_accepts_no_data(one):
    one.server.sendall(LARGE)
    one.server.after_sending(one.ends.append)
    one.server.abort(UnreadReason.TOO_SLOW)
    one.server.abort(UnreadReason.MEMORY)  # The first reason is kept.
    assert one.server._responses.total_bytes == 0
    with pytest.raises(BrokenPipeError):
        one.server.sendall(b"more")
    assert one.server.flush()
    one.server.end_response()
    assert one.ends == [UnreadReason.TOO_SLOW]
    one.server.close()
    with pytest.raises(ConnectionResetError):
        one.read(len(LARGE))


def test_failing_callback_does_not_stop_other_callbacks(one, caplog):
    def fail(_: UnreadReason | None) -> None:
        raise ArithmeticError("tracing has failed")

    one.server.after_sending(fail)
    one.server.sendall(LARGE)
    one.server.after_sending(fail)
    one.server.after_sending(one.ends.append)
    one.read(len(LARGE))
    one.server.flush()
    one.server.end_response()
    assert one.ends == [None]
    assert caplog.text.count("ArithmeticError: tracing has failed") == 2


def test_disconnected_client_is_client_gone(one):
    one.server.sendall(LARGE)
    one.client.close()
    while not one.server.flush():
        pass
    assert one.server.unread is UnreadReason.CLIENT_GONE
    assert one.server._responses.total_bytes == 0


def test_unsent_limit_aborts_the_least_recent_progress(stack, clock):
    unsent = UnsentResponses(LIMITS, max_bytes=3 * len(LARGE))
    stalled, reading, newest = (Pair(unsent, stack) for _ in range(3))
    for one in reading, stalled, newest:
        one.server.sendall(LARGE)
        clock[0] += 1
    assert unsent.total_bytes == unsent.max_bytes
    reading.read(500_000)
    assert reading.server.timeout_reason() is None  # Records the progress.
    late = Pair(unsent, stack)
    late.server.sendall(LARGE)
    assert [one.server.unread for one in (stalled, reading, newest, late)] == [
        UnreadReason.MEMORY,
        None,
        None,
        None,
    ]
    assert unsent.total_bytes == unsent.max_bytes


def test_single_response_may_exceed_the_unsent_limit(stack):
    unsent = UnsentResponses(LIMITS, max_bytes=len(LARGE) - 1)
    small, large = Pair(unsent, stack), Pair(unsent, stack)
    small.server.sendall(LARGE[:-1])
    large.server.sendall(LARGE)
    assert (small.server.unread, large.server.unread) == (UnreadReason.MEMORY, None)
    assert large.read(len(LARGE)) == LARGE
