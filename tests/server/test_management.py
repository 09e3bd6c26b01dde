"""Management port: probes pass whatever other clients do, within bounds."""

import contextlib
import re
import resource
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dctnet.config import MIB
from dctnet.server.single_thread_server import (
    LINGER_S,
    MAX_CONNECTIONS,
    MAX_HEAD_BYTES,
    RESERVED_DESCRIPTORS,
    TIMEOUT_S,
)
from tests.server.conftest import LISTENING, kernel_sockets, read_response, read_until_close
from tests.support.polling import BOUND_S, until
from tests.support.process import Server, cpu_time, free_ports, running
from tests.support.repo import environment

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
MARGIN_S = 3
"""Tolerance for a busy machine, in seconds."""

Connect = Callable[..., socket.socket]

LARGE_BYTES = 50 * MIB
LARGE = f"""
import sys
from dctnet.config import Address
from dctnet.server.single_thread_server import Response, SingleThreadServer
content = bytes({LARGE_BYTES})
address = Address("127.0.0.1", int(sys.argv[1]))
SingleThreadServer(address, lambda head, _: Response(content, b"last" in head)).serve()
"""


@pytest.fixture(scope="module")
def large() -> Iterator[int]:
    """The port of a server whose responses are larger than what the kernel keeps of them."""
    (port,) = free_ports(1)
    with running([sys.executable, "-c", LARGE, str(port)], environment()) as process:
        until(lambda: (LISTENING, True) in kernel_sockets(port), process=process)
        yield port


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    """Opens connections to the management port, from one address or another."""
    with ExitStack() as stack:

        def connect(client: str = "127.0.0.1", port: int | None = None) -> socket.socket:
            return stack.enter_context(open_connection(server, client, port))

        yield connect


def open_connection(
    server: Server, client: str = "127.0.0.1", port: int | None = None
) -> socket.socket:
    address = ("127.0.0.1", port or int(server.management.rpartition(":")[2]))
    return socket.create_connection(address, BOUND_S, (client, 0))


def exchange(server: Server, request: bytes, client: str = "127.0.0.1") -> bytes:
    """Send a request, and read until the server closes."""
    with open_connection(server, client) as sock:
        sock.sendall(request)
        return read_until_close(sock, ConnectionResetError)


def read_one_response(sock: socket.socket) -> tuple[int, bytes]:
    response, content = read_response(sock)
    return response.status, content


def is_open(sock: socket.socket) -> bool:
    """Whether the server keeps a connection open on which it has nothing to send."""
    return not select.select([sock], [], [], 0)[0]


def probe(server: Server, client: str = "127.0.0.1") -> int:
    """Probe on a new connection, as a kubelet does."""
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    return int(exchange(server, request, client).split()[1])


def count_connections(port: int) -> int:
    """Count the connections that a server holds."""
    return sum(held and state != LISTENING for state, held in kernel_sockets(port))


def test_keep_alive(connect):
    sock = connect()
    for _ in range(3):
        sock.sendall(LIVEZ)
        assert read_one_response(sock) == (200, b"livez passed\n")
    sock.sendall(b"\r\n\r\n" + LIVEZ[:9])
    sock.sendall(LIVEZ[9:])
    assert read_one_response(sock) == (200, b"livez passed\n")


@pytest.mark.parametrize("path", ["/livez", "/readyz?verbose", "/metrics", "/none"])
def test_head_is_get_without_the_content(server, path):
    def parts(method: str) -> tuple[bytes, bytes]:
        request = f"{method} {path} HTTP/1.1\r\nConnection: close\r\n\r\n"
        head, _, content = exchange(server, request.encode()).partition(b"\r\n\r\n")
        return re.sub(rb"Date: .*\r\n|(?<=Content-Length: )\d+", b"", head), content

    get, head = parts("GET"), parts("HEAD")
    assert head == (get[0], b"")
    assert get[1]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /livez HTTP/1.0\r\n\r\n", 200),
        (b"GET /livez HTTP/1.0\n\n", 200),
        (b"GET /livez HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 200),
        (b"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200),
        (LIVEZ + LIVEZ, 200),
        (b"GET /none HTTP/1.0\r\n\r\n", 404),
        (b"GET http://[ HTTP/1.0\r\n\r\n", 400),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 9000\r\n\r\n" + bytes(9000), 501),
        (b"rubbish <b>\x00\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /livez HTTP/9.9\r\n\r\n", 505),
        (b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
    ],
)
def test_malformed_request_gets_one_response_and_a_close(server, request_, status):
    response = exchange(server, request_)
    assert response.split()[1] == str(status).encode()
    assert response.count(b"HTTP/1.1 ") == 1
    assert re.findall(rb"Server: (.*)\r\n", response) == [b"dctnet"]
    assert b"rubbish" not in response
    assert log_is_clean(server)


def log_is_clean(server: Server) -> bool:
    """Whether its log has only its own records, without exceptions."""
    return server.faults() == []


@pytest.mark.parametrize("beyond", [0, 1])
def test_request_head_limit(server, beyond):
    head = b"GET /livez HTTP/1.0\r\nx: \r\n\r\n"
    filling = b"a" * (MAX_HEAD_BYTES - len(head) + beyond)
    response = exchange(server, head.replace(b"x: ", b"x: " + filling))
    assert response.split()[1] == (b"431" if beyond else b"200")


def test_endless_request_line_is_rejected_at_the_limit(connect):
    sock = connect()
    sock.sendall(b"G" * MAX_HEAD_BYTES)
    assert is_open(sock)
    sock.sendall(b"G")
    assert read_until_close(sock, ConnectionResetError).startswith(b"HTTP/1.1 431 ")


@pytest.mark.alone
@pytest.mark.promise("Load: probes pass whatever clients of the management port do")
def test_slow_idle_and_unreading_clients_time_out(server, connect, large):
    started = time.monotonic()
    silent, trickling, idle = (connect() for _ in range(3))
    unreading = connect("127.0.0.1", large)
    unreading.sendall(LIVEZ)
    until(lambda: count_connections(large) == 1)
    idle.sendall(LIVEZ)
    assert read_one_response(idle)[0] == 200
    sent = 0
    ended: dict[str, float] = {}

    def all_are_cut_off() -> bool:
        nonlocal sent
        seconds = time.monotonic() - started
        if seconds > sent:  # One byte per second.
            with contextlib.suppress(OSError):
                trickling.sendall(LIVEZ[sent : sent + 1])
            sent += 1
        for name, sock in {"silent": silent, "trickling": trickling, "idle": idle}.items():
            if not is_open(sock):
                ended.setdefault(name, seconds)
        if count_connections(large) == 0:
            ended.setdefault("unreading", seconds)
        return len(ended) == 4

    server.until(all_are_cut_off)
    for seconds in ended.values():
        assert TIMEOUT_S - 0.1 <= seconds <= TIMEOUT_S + MARGIN_S
    assert log_is_clean(server)


@pytest.mark.alone
def test_lingering_client_is_closed(large):
    with socket.create_connection(("127.0.0.1", large), BOUND_S) as sock:
        sock.sendall(b"last\r\n\r\n")
        assert len(read_until_close(sock)) == LARGE_BYTES
        started = time.monotonic()
        until(lambda: count_connections(large) == 0)
        assert time.monotonic() - started <= LINGER_S + MARGIN_S


@pytest.mark.promise("Load: probes pass whatever clients of the management port do")
def test_connection_limit_evicts_the_oldest(server, connect):
    oldest, *others = [connect() for _ in range(MAX_CONNECTIONS)]
    others[-1].sendall(LIVEZ)
    assert read_one_response(others[-1])[0] == 200
    assert is_open(oldest)
    assert probe(server) == 200
    server.until(lambda: not is_open(oldest))
    assert all(map(is_open, others))


@pytest.mark.promise("Load: probes pass whatever clients of the management port do")
def test_connection_limit_evicts_from_the_client_with_most(server, connect):
    scraper = connect("127.0.0.2")
    for _ in range(3 * MAX_CONNECTIONS):
        connect("127.0.0.3")
    assert probe(server) == 200
    scraper.sendall(LIVEZ)
    assert read_one_response(scraper)[0] == 200


def test_reset_connections_leave_no_error(server):
    for number in range(50):
        with open_connection(server) as sock:
            sock.sendall((b"GET /metrics HTTP/1.1\r\n\r\n", b"GET", b"")[number % 3])
            # Closing then resets the connection.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert probe(server) == 200
    assert log_is_clean(server)


def test_connections_start_no_thread(server, connect):
    threads = Path(f"/proc/{server.worker()}/task")
    before = len(list(threads.iterdir()))
    for _ in range(MAX_CONNECTIONS):
        connect().sendall(LIVEZ)
    assert probe(server) == 200
    assert len(list(threads.iterdir())) == before


@pytest.mark.promise("Load: probes pass whatever clients of the management port do")
def test_probes_pass_without_file_descriptors(start_timed):
    server = start_timed(0)
    worker = server.worker()
    highest = max(int(path.name) for path in Path(f"/proc/{worker}/fd").iterdir())
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (highest + 1, highest + 1))
    before = cpu_time(worker)
    with ExitStack() as stack:
        # They fill the gaps below the limit, and then evict each other.
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(open_connection(server, "127.0.0.3"))
        for _ in range(20):
            assert probe(server) == 200
    port = int(server.management.rpartition(":")[2])
    server.until(lambda: count_connections(port) == 0)
    with ExitStack() as stack:
        held = [stack.enter_context(open_connection(server)) for _ in range(RESERVED_DESCRIPTORS)]
        for sock in held:
            sock.sendall(LIVEZ)
            assert read_one_response(sock)[0] == 200
    assert cpu_time(worker) - before < 1
    assert log_is_clean(server)
