"""Graceful shutdown: in-flight requests, the backlog, the drain delay."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress

import pytest
import requests

from tests.server.conftest import ESTABLISHED, IMAGE, kernel_sockets, post
from tests.support.hypothesis_profiles import scaled
from tests.support.polling import BOUND_S, until
from tests.support.process import Server, children, free_ports, running
from tests.support.repo import environment

ROUNDS = scaled(30)
REPLICAS = 10
"""Servers per batch, which is cheaper than one by one."""

CLIENTS = 24
"""More than slots, queue and threads could start at once: some wait in the listener's backlog."""

DRAIN_DELAY_S, NOT_READY_WITHIN_S, DRAINED_WITHIN_S = 3, 1, 15


@pytest.mark.promise("Lifecycle: a graceful shutdown completes every request and exits with 0")
@pytest.mark.parametrize("first_round", range(0, ROUNDS, REPLICAS))
def test_graceful_shutdown_completes_inflight_requests(first_round):
    """SIGTERM while requests run, wait in the queue and wait to be accepted: none is lost."""
    ports = free_ports(2 * REPLICAS)
    command = [sys.executable, "-m", "tests.server.timed_replicas", *map(str, ports)]
    settings = environment(TIMED_SECONDS=0.02, DCTNET_SLOTS=2)
    with (
        running(command, settings, subprocess.DEVNULL) as process,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        until(lambda: len(children(process.pid)) == REPLICAS, process=process)
        pids = children(process.pid)  # In the order in which they were forked.
        pending = [
            stop_while_busy(pid, port, f"http://127.0.0.1:{management}", pool)
            for pid, port, management in zip(pids, ports[::2], ports[1::2], strict=True)
        ]
        assert process.wait(BOUND_S) == 0
    assert max(pending) > CLIENTS // 2


@pytest.mark.promise("Lifecycle: a graceful shutdown completes every request and exits with 0")
def test_graceful_shutdown_accepts_the_backlog(start_timed):
    server = start_timed(0.02, DCTNET_SLOTS=2)
    worker = server.worker()
    os.kill(worker, signal.SIGSTOP)  # So that none is accepted before the shutdown starts.
    with ThreadPoolExecutor(CLIENTS) as pool:
        responses = [pool.submit(post, server) for _ in range(CLIENTS)]
        server.until(lambda: established_connections(server.port) >= CLIENTS)
        server.process.send_signal(signal.SIGTERM)
        os.kill(worker, signal.SIGCONT)
        assert Counter(response.result().status_code for response in responses) == {200: CLIENTS}
    assert server.process.wait(BOUND_S) == 0


def established_connections(port: int) -> int:
    """Count the established connections to a port, accepted or not."""
    return sum(state == ESTABLISHED for state, _ in kernel_sockets(port))


def stop_while_busy(pid: int, port: int, management: str, pool: ThreadPoolExecutor) -> int:
    """Send SIGTERM after the first response; return how many were not complete then."""
    until(lambda: is_ready(management), f"{management} is not ready")
    connections = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(CLIENTS)]
    for connection in connections:
        connection.connect()  # Established, perhaps not accepted yet.
    responses = [pool.submit(get_response, connection) for connection in connections]
    wait(responses, return_when=FIRST_COMPLETED)
    os.kill(pid, signal.SIGTERM)
    pending = sum(not response.done() for response in responses)
    assert Counter(response.result() for response in responses) == {200: CLIENTS}
    return pending


def is_ready(management: str) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(f"{management}/readyz", timeout=BOUND_S).ok
    return False


def get_response(connection: http.client.HTTPConnection) -> int:
    connection.request("POST", "/v1/cartoons", IMAGE)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.mark.alone
@pytest.mark.promise("Lifecycle: a graceful shutdown completes every request and exits with 0")
def test_drain_delay_serves_new_clients_while_unready(start_timed):
    server = start_timed(0, DCTNET_DRAIN_DELAY=DRAIN_DELAY_S)
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.until(lambda: server.probe("/readyz") == 503)
    assert time.monotonic() - started < NOT_READY_WITHIN_S
    assert server.probe("/livez") == 200
    for _ in range(5):
        response = post(server)
        assert response.status_code == 200
        assert response.headers["Connection"] == "close"
    assert server.metric("dctnet_state", state="draining") == 1
    assert server.process.wait(BOUND_S) == 0
    assert DRAIN_DELAY_S <= time.monotonic() - started < DRAINED_WITHIN_S


@pytest.mark.promise("Single host: a killed replica comes back, and no request is lost")
def test_killed_worker_is_restarted(start_timed):
    server = start_timed(0)
    killed = server.worker()
    os.kill(killed, signal.SIGKILL)
    server.until(lambda: worker_was_replaced(server, killed))
    server.wait_for(200)
    assert post(server).status_code == 200
    assert server.stop() == 0


def worker_was_replaced(server: Server, killed: int) -> bool:
    try:
        return server.worker() != killed
    except ValueError:  # Between the two there is none.
        return False
