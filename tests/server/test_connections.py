"""Connections: all the ways to close them, the connection limit, pipelining."""

import signal
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dctnet.server.file_descriptors import RESERVED
from dctnet.shared_limits import SPARE_THREADS
from tests.server.conftest import TIMED, open_connection, open_connections, read_until_close
from tests.server.test_shortages import open_files, with_open_files
from tests.server.test_slow_readers import (
    GET,
    PIPELINED,
    cartoon_of_noise,
    require_prompt_health,
    silent_readers,
)
from tests.support.polling import BOUND_S, until
from tests.support.process import Server, cpu_time, serving

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
ASKS_FIRST = (
    b"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
    b"Expect: 100-continue\r\n\r\n"
)


def reset(client: socket.socket) -> None:
    """Reset the connection, as a killed process does."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def is_closed(client: socket.socket) -> bool:
    """Read what has arrived, and return whether the server has closed the connection."""
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
    except BlockingIOError:
        return False
    return True


def require_complete(answer: bytes, version: bytes = b"1.1") -> int:
    """Require that a response is complete, and return its length."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/" + version + b" 200 OK\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    return len(body)


@pytest.mark.alone
def test_lingering_clients_delay_no_other(start_timed):
    server = start_timed(0)
    last = b"GET /v1/styles HTTP/1.0\r\n\r\n"
    with open_connections(server, 900, last):
        require_prompt_health(server)
    assert server.stop() == 0


def test_disconnect_before_100_continue_is_not_an_error(timed_server):
    before = len(timed_server.requests())
    for _ in range(20):
        reset(open_connection(timed_server, ASKS_FIRST))
    lines = timed_server.logged(before + 1)[before:]
    assert [line for line in lines if line["status"] >= 500] == []
    timed_server.wait_for(200)
    assert not any("Error" in line for line in timed_server.lines())


@pytest.mark.alone
def test_connection_limit_closes_idle_connections(tmp_path):
    threads = 1 + 1 + 1 + SPARE_THREADS
    room = threads + 140
    command = [*with_open_files(room + RESERVED), *TIMED]
    settings = {
        "TIMED_SECONDS": 0,
        "DCTNET_SLOTS": 1,
        "DCTNET_QUEUE_SIZE": 1,
        "DCTNET_MAX_UPLOADS": 1,
        "DCTNET_HEADER_TIMEOUT": 60,
        "DCTNET_RESPONSE_IDLE_TIMEOUT": 60,
    }
    with (
        serving(tmp_path / "log", command, **settings) as server,
        silent_readers(server, 40, GET * PIPELINED),
        open_connections(server, threads - 20, b"GET / HTTP/1.1\r\n"),
        open_connections(server, 140, HEALTH) as idle,
    ):
        for _ in range(3):
            require_prompt_health(server)
        # The oldest is closed first: which one that is depends on which thread responded first.
        until(lambda: any(is_closed(client) for client in idle), "no connection was closed")


def test_pipelined_responses_reach_a_slow_reader_in_order(timed_server):
    cartoon = cartoon_of_noise(500)
    requests = [GET, HEALTH, cartoon, b"HEAD /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"] * 12
    last = b"GET /v1/styles HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with silent_readers(timed_server, 1, b"") as (client,), ThreadPoolExecutor(1) as pool:
        sending = pool.submit(client.sendall, b"".join([*requests, last]))
        responses = read_until_close(client)
        sending.result()
    sizes = []
    while responses:
        head, _, responses = responses.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        (length,) = (
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        is_head = len(sizes) < len(requests) and requests[len(sizes)].startswith(b"HEAD")
        sizes.append(length)
        if not is_head:
            assert len(responses) >= length
            responses = responses[length:]
    assert len(sizes) == len(requests) + 1
    assert sizes[:4] * 12 == sizes[:-1]
    assert sizes[2] > 700_000
    assert sizes[3] == sizes[0]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_large_last_response_is_complete_despite_unread_input(timed_server, version):
    request = cartoon_of_noise(1000).replace(b"HTTP/1.1", b"HTTP/" + version)
    request = request.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")
    with silent_readers(timed_server, 1, request + bytes(100_000)) as (client,):
        assert require_complete(read_until_close(client), version) > 2_900_000


def test_graceful_shutdown_completes_partly_sent_responses(start_timed):
    server = start_timed(0, DCTNET_SLOTS=2, DCTNET_DRAIN_DELAY=0)
    with silent_readers(server, 24, cartoon_of_noise(600)) as clients:
        first = [client.recv(1) for client in clients]
        server.process.send_signal(signal.SIGTERM)
        with ThreadPoolExecutor(24) as pool:
            rests = list(pool.map(read_until_close, clients))
    assert server.process.wait(BOUND_S) == 0
    for start, rest in zip(first, rests, strict=True):
        require_complete(start + rest)


CARTOON = cartoon_of_noise(300)
WAYS: list[Callable[[Server], object]] = [
    lambda server: open_connection(server).close(),
    lambda server: reset(open_connection(server)),
    lambda server: reset(open_connection(server, HEALTH)),
    lambda server: reset(open_connection(server, GET * 5)),
    lambda server: open_connection(server, GET * 20).close(),
    lambda server: open_connection(server, b"GET / HT").close(),
    lambda server: open_connection(server, b"\x16\x03\x01 is TLS\r\n\r\n").close(),
    lambda server: reset(open_connection(server, ASKS_FIRST)),
    lambda server: reset(open_connection(server, ASKS_FIRST + b"\x89PNG")),
    lambda server: read_until_close(open_connection(server, b"GET /health HTTP/1.0\r\n\r\n")),
    lambda server: read_until_close(
        open_connection(server, b"GET /none HTTP/1.0\r\n\r\n" + bytes(50_000))
    ),
    lambda server: open_connection(server, CARTOON).close(),
]
"""Ways to close a connection; each is called with the server."""


def test_closed_connections_do_not_reduce_the_limit(tmp_path):
    room = 300
    command = [*with_open_files(room + RESERVED), *TIMED]

    def connection_limit(server: Server) -> int:
        """Files that the worker has open when more connections than fit were opened."""
        before = open_files(server.worker())
        with open_connections(server, room + 50):
            server.wait_for(200)
            most = open_files(server.worker())
        server.until(lambda: open_files(server.worker()) <= before)
        return most

    with serving(tmp_path / "log", command, TIMED_SECONDS=0, DCTNET_SLOTS=2) as server:
        worker = server.worker()
        before, idle_files = connection_limit(server), open_files(worker)
        with ThreadPoolExecutor(4) as pool:
            for way in WAYS:
                list(pool.map(way, [server] * 200))
        server.until(lambda: open_files(worker) <= idle_files)
        assert abs(connection_limit(server) - before) <= 2  # The health check has one of its own.
        assert server.worker() == worker
        spent = cpu_time(worker)
        time.sleep(1)
        assert cpu_time(worker) - spent < 0.2
        assert server.stop() == 0
    assert not any("Error" in line for line in server.lines())
