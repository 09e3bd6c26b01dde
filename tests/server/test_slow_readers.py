"""Slow readers: responses that clients do not read delay no one and time out."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import requests

from dctnet.config import MIB
from tests.server.conftest import post
from tests.support.encoded_images import encoded
from tests.support.polling import BOUND_S
from tests.support.process import Server, memory

SILENT = 400
PIPELINED = 16
"""Requests per connection: their responses exceed the kernel's buffers."""
GET = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
IDLE_TIMEOUT_S = 4
PROMPT_S = 3
"""Bound of a response beside silent readers, in seconds: less than waiting for them."""
UNSENT_SIDE = 700
"""Sides of a cartoon of noise that is larger than the kernel's buffers of a connection."""


@contextmanager
def silent_readers(server: Server, number: int, request: bytes) -> Iterator[list[socket.socket]]:
    """Connections with small buffers that have sent a request and read nothing."""
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(BOUND_S)
            client.connect(("127.0.0.1", server.port))
            client.sendall(request)
            clients.append(client)
        yield clients


def unread(server: Server, reason: str) -> float:
    return server.metric("dctnet_unread_responses_total", reason=reason)


def require_prompt_health(server: Server) -> None:
    started = time.monotonic()
    assert requests.get(f"{server.url}/health", timeout=BOUND_S).status_code == 200
    assert time.monotonic() - started < PROMPT_S


@pytest.mark.alone
@pytest.mark.promise("Load: slow readers hold no thread, delay no other client and time out")
def test_400_silent_readers_delay_no_other_and_time_out(start_timed):
    server = start_timed(0, DCTNET_RESPONSE_IDLE_TIMEOUT=IDLE_TIMEOUT_S)
    worker = server.worker()
    before = memory(worker, "VmRSS")
    with silent_readers(server, SILENT, GET * PIPELINED):
        # Their requests take seconds of CPU, and are in the queue before this one.
        assert requests.get(f"{server.url}/health", timeout=BOUND_S).status_code == 200
        for _ in range(10):
            require_prompt_health(server)
        server.until(lambda: unread(server, "too_slow") == SILENT)
        assert memory(worker, "VmRSS") - before < 150 * MIB
        require_prompt_health(server)
    assert server.worker() == worker
    server.until(lambda: "too_slow" in {line.get("unread") for line in server.requests()})


def cartoon_of_noise(side: int) -> bytes:
    """A request for a cartoon of side × side random pixels, which cannot be compressed."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    data = encoded(noise, "PNG", compress_level=0)
    head = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


@pytest.mark.promise("Load: slow readers hold no thread, delay no other client and time out")
def test_trickling_reader_times_out(start_timed):
    server = start_timed(0, DCTNET_RESPONSE_IDLE_TIMEOUT=IDLE_TIMEOUT_S)
    with silent_readers(server, 1, cartoon_of_noise(UNSENT_SIDE)) as (client,):
        # A byte every 20 ms, while the client's kernel receives thousands at once.
        server.until(lambda: bool(client.recv(1)) and unread(server, "too_slow") == 1)
    (line,) = server.logged(1)
    assert line["route"] == "/v1/cartoons"
    assert (line["status"], line["unread"]) == (200, "too_slow")
    assert line["duration"] >= IDLE_TIMEOUT_S


@pytest.mark.promise("Load: slow readers hold no thread, delay no other client and time out")
def test_response_timeout(start_timed):
    server = start_timed(0, DCTNET_RESPONSE_TIMEOUT=2, DCTNET_MIN_RESPONSE_RATE=1)
    with silent_readers(server, 1, cartoon_of_noise(UNSENT_SIDE)):
        server.until(lambda: unread(server, "deadline") == 1)
    with silent_readers(server, 1, cartoon_of_noise(UNSENT_SIDE)) as (client,):
        client.recv(1)
    # A disconnect has its own reason.
    server.until(lambda: unread(server, "client_gone") == 1)


@pytest.mark.promise("Load: slow readers hold no thread, delay no other client and time out")
def test_unread_responses_stay_within_their_limit(start_timed):
    request = cartoon_of_noise(1000)  # Of 3 million bytes, and so is its response.
    server = start_timed(
        0,
        DCTNET_SLOTS=1,
        DCTNET_MAX_UNSENT_BYTES=10_000_000,
        DCTNET_RESPONSE_IDLE_TIMEOUT=100,
        DCTNET_FAIRNESS="none",
    )
    worker = server.worker()
    with silent_readers(server, 1, request):
        server.until(lambda: server.metric("dctnet_inferences_total", result="ok") == 1)
        before = memory(worker, "VmRSS")
        with silent_readers(server, 12, request):
            server.until(lambda: unread(server, "memory") == 13 - 3)
            assert memory(worker, "VmRSS") - before < 40_000_000
            response = post(server, request.partition(b"\r\n\r\n")[2])
            assert response.status_code == 200
            assert len(response.content) > 2_900_000


@pytest.mark.alone
@pytest.mark.promise("Load: slow readers hold no thread, delay no other client and time out")
def test_silent_readers_do_not_delay_shutdown(start_timed):
    server = start_timed(0, DCTNET_RESPONSE_IDLE_TIMEOUT=IDLE_TIMEOUT_S)
    with silent_readers(server, 50, GET * PIPELINED) as clients:
        for client in clients:
            client.recv(1)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 4 * IDLE_TIMEOUT_S


def test_graceful_timeout_aborts_unread_responses(start_timed):
    settings = {"DCTNET_REQUEST_TIMEOUT": 2, "DCTNET_WATCHDOG_TIMEOUT": 1}
    server = start_timed(0, DCTNET_RESPONSE_IDLE_TIMEOUT=100, **settings)
    with silent_readers(server, 1, cartoon_of_noise(UNSENT_SIDE)):
        server.until(lambda: server.metric("dctnet_inferences_total", result="ok") == 1)
        assert server.stop() == 0
    assert "shutdown" in {line.get("unread") for line in server.requests()}
