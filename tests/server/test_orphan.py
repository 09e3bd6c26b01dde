"""End of a worker whose arbiter was killed."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.server.conftest import TIMED
from tests.server.timed import HANGING
from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S, until
from tests.support.process import Server

Start = Callable[..., Server]
SLOW_CLIENTS = 50


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie that its new parent does not reap."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


@contextmanager
def orphaned(server: Server) -> Iterator[int]:
    """Kill the arbiter; the worker's process id, which is killed at last if it still runs."""
    worker = server.worker()
    try:
        server.process.kill()
        server.process.wait(BOUND_S)
        yield worker
    finally:
        if not has_ended(worker):
            os.kill(worker, signal.SIGKILL)


def post(server: Server, width: int) -> int:
    picture = encoded(gradient(24, width))
    return requests.post(f"{server.url}/v1/cartoons", data=picture, timeout=BOUND_S).status_code


def is_listening(server: Server) -> bool:
    ports = server.port, int(server.management.rpartition(":")[2])
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = {line.split()[1] for line in lines if line.split()[3] == "0A"}
    return any(local.endswith(f":{port:04X}") for local in listening for port in ports)


@contextmanager
def silent_reader(server: Server) -> Iterator[None]:
    """A client whose responses fill all buffers, since it reads none."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(1)
        client.connect(("127.0.0.1", server.port))
        with suppress(TimeoutError):  # Its requests are not read any more either.
            while True:
                client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        yield


@pytest.mark.promise("Lifecycle: an orphaned worker frees its ports, completes its work and exits")
def test_an_orphan_frees_its_ports_at_once_and_completes_what_it_accepted(start_timed, tmp_path):
    held = tmp_path / "held"
    server = start_timed(0, DCTNET_DRAIN_DELAY=60, TIMED_HELD=held)
    held.touch()
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(post, server, 24)
        server.until(lambda: server.metric("dctnet_slots_busy") > 0)
        with orphaned(server) as worker:
            until(lambda: not is_listening(server), "the worker keeps its ports", bound_s=3)
            assert not has_ended(worker)
            held.unlink()
            assert in_flight.result() == 200
            until(lambda: has_ended(worker), "the worker outlives its arbiter", bound_s=10)


@pytest.mark.promise("Lifecycle: an orphaned worker frees its ports, completes its work and exits")
def test_an_orphan_whose_clients_read_nothing_ends_by_the_graceful_timeout(start_timed):
    # The graceful timeout is 5 s beyond the request's.
    server = start_timed(0, DCTNET_REQUEST_TIMEOUT=1, DCTNET_WATCHDOG_TIMEOUT=0.5)
    with ThreadPoolExecutor() as pool, silent_reader(server):
        answer = pool.submit(post, server, HANGING)
        server.until(lambda: server.metric("dctnet_slots_busy") > 0)
        with orphaned(server) as worker:
            until(lambda: has_ended(worker), "the worker outlives its arbiter", bound_s=6 + 3)
        assert answer.result() == 504


@pytest.mark.parametrize("seconds", ["0", "inf"])
def test_an_idle_orphan_ends_at_once_loading_or_ready(tmp_path, seconds):
    settings = {"TIMED_SECONDS": seconds, "DCTNET_REQUEST_TIMEOUT": 600}
    with Server(tmp_path / "log", TIMED, **settings) as server:
        server.wait_for(200 if seconds == "0" else 503)
        with orphaned(server) as worker:
            until(lambda: has_ended(worker), "the worker outlives its arbiter", bound_s=10)


@pytest.mark.promise("Lifecycle: an orphaned worker frees its ports, completes its work and exits")
def test_a_replica_restarts_on_the_same_ports_after_its_arbiter_was_killed(start_timed, tmp_path):
    # The graceful timeout is 5 s beyond the request's.
    server = start_timed(0, DCTNET_REQUEST_TIMEOUT=1, DCTNET_WATCHDOG_TIMEOUT=0.5)
    with ExitStack() as stack:
        for number in range(SLOW_CLIENTS):
            client = socket.create_connection(("127.0.0.1", server.port), BOUND_S)
            stack.enter_context(client)
            # Idle, in its headers, and in its body.
            client.sendall(
                (
                    b"",
                    b"GET / HTTP/1.1\r\nHost:",
                    b"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n.",
                )[number % 3]
            )
        stack.enter_context(silent_reader(server))
        with orphaned(server) as worker:
            started = time.monotonic()
            # As a service manager does, which starts it again when it has ended.
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
            until(lambda: has_ended(worker), "the worker outlives its arbiter", bound_s=1 + 5 + 3)
            assert post(again, 40) == 200
