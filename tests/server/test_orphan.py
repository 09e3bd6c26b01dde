"""Orphaned workers: the arbiter was killed."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.server.conftest import LISTENING, TIMED, kernel_sockets, open_connection, post
from tests.server.timed_server import HANGING
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S, until
from tests.support.process import Server, has_exited

SLOW_CLIENTS = 50
AT_ONCE_S = 30
"""Bound of a prompt exit on a busy machine, in seconds; a late one takes a minute."""
BY_TIMEOUT_S = 1 + 5
"""Graceful timeout for a request timeout of one second: 5 s beyond it."""
SHORT = {"DCTNET_REQUEST_TIMEOUT": 1, "DCTNET_WATCHDOG_TIMEOUT": 0.5}


@contextmanager
def orphaned(server: Server) -> Iterator[int]:
    """Kill the arbiter; yield the worker's process id, and kill it after the block."""
    worker = server.worker()
    try:
        server.process.kill()
        server.process.wait(BOUND_S)
        yield worker
    finally:
        if not has_exited(worker):
            os.kill(worker, signal.SIGKILL)


def require_exit(worker: int, bound_s: float) -> None:
    until(lambda: has_exited(worker), "the worker outlives its arbiter", bound_s=bound_s)


def is_listening(server: Server) -> bool:
    ports = server.port, int(server.management.rpartition(":")[2])
    return LISTENING in {state for port in ports for state, _ in kernel_sockets(port)}


@contextmanager
def silent_reader(server: Server) -> Iterator[None]:
    """A silent reader whose responses fill all buffers."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(1)
        client.connect(("127.0.0.1", server.port))
        with suppress(TimeoutError):  # Its requests are no longer read either.
            while True:
                client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        yield


@pytest.mark.promise("Lifecycle: an orphaned worker frees its ports, completes its work and exits")
def test_orphan_frees_its_ports_and_completes_accepted_requests(start_timed, tmp_path):
    held = tmp_path / "held"
    server = start_timed(0, DCTNET_DRAIN_DELAY=60, TIMED_HELD=held)
    held.touch()
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(post, server)
        server.until(lambda: server.metric("dctnet_slots_busy") > 0)
        with orphaned(server) as worker:
            until(lambda: not is_listening(server), "the worker keeps its ports", bound_s=AT_ONCE_S)
            assert not has_exited(worker)
            held.unlink()
            assert in_flight.result().status_code == 200
            require_exit(worker, AT_ONCE_S)


@pytest.mark.alone
@pytest.mark.promise("Lifecycle: an orphaned worker frees its ports, completes its work and exits")
def test_orphan_with_silent_readers_exits_within_the_graceful_timeout(start_timed):
    server = start_timed(0, **SHORT)
    with ThreadPoolExecutor() as pool, silent_reader(server):
        response = pool.submit(post, server, encoded(gradient(24, HANGING)))
        server.until(lambda: server.metric("dctnet_slots_busy") > 0)
        with orphaned(server) as worker:
            require_exit(worker, BY_TIMEOUT_S + 3)
        assert response.result().status_code == 504


@pytest.mark.parametrize("seconds", ["0", "inf"])
def test_idle_orphan_exits_immediately(tmp_path, seconds):
    settings = {"TIMED_SECONDS": seconds, "DCTNET_REQUEST_TIMEOUT": 600}
    with Server(tmp_path / "log", TIMED, **settings) as server:
        server.wait_for(200 if seconds == "0" else 503)
        with orphaned(server) as worker:
            require_exit(worker, AT_ONCE_S)


@pytest.mark.alone
@pytest.mark.promise("Lifecycle: an orphaned worker frees its ports, completes its work and exits")
def test_replica_restarts_on_the_same_ports_after_arbiter_kill(start_timed, tmp_path):
    server = start_timed(0, **SHORT)
    unfinished = (
        b"",
        b"GET / HTTP/1.1\r\nHost:",
        b"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n.",
    )
    with ExitStack() as stack:
        for number in range(SLOW_CLIENTS):
            stack.enter_context(open_connection(server, unfinished[number % len(unfinished)]))
        stack.enter_context(silent_reader(server))
        with orphaned(server) as worker:
            started = time.monotonic()
            # As a service manager restarts it.
            while True:
                again = Server(
                    tmp_path / "again",
                    TIMED,
                    TIMED_SECONDS=0,
                    DCTNET_BIND=f"127.0.0.1:{server.port}",
                    DCTNET_MANAGEMENT_BIND=server.management.removeprefix("http://"),
                )
                again.port, again.url, again.management = server.port, server.url, server.management
                stack.enter_context(again)
                try:
                    again.wait_for(200)
                    break
                except AssertionError:
                    assert time.monotonic() - started < 15, again.messages()
            assert again.process.poll() is None
            assert again.probe("/readyz") == 200
            require_exit(worker, BY_TIMEOUT_S + 3)
            assert post(again).status_code == 200
