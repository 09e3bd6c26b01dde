"""How a server that is told to end treats those who still want something of it."""

import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server

Start = Callable[..., Server]
PICTURE = encoded(gradient(40, 24))
ROUNDS = 50
CLIENTS = 24
"""More than slots, queue and threads could start at once: some wait in the listener's backlog."""


def post(server: Server) -> requests.Response:
    return requests.post(f"{server.url}/v1/cartoons", data=PICTURE, timeout=BOUND_S)


@pytest.mark.promise("Lifecycle: a graceful shutdown completes every request and exits with 0")
def test_whoever_was_connected_is_answered_in_fifty_rounds(start_timed: Start) -> None:
    """SIGTERM while requests run, wait in the queue and wait to be accepted: none is lost."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(ROUNDS):
            end_while_busy(start_timed(0.02, DCTNET_SLOTS=2), pool)


@pytest.mark.promise("Lifecycle: a graceful shutdown completes every request and exits with 0")
def test_whoever_waits_to_be_accepted_is_answered(start_timed: Start) -> None:
    server = start_timed(0.02, DCTNET_SLOTS=2)
    worker = server.worker()
    os.kill(worker, signal.SIGSTOP)  # So that nobody is accepted before the end begins.
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = [pool.submit(post, server) for _ in range(CLIENTS)]
        server.until(lambda: connections_to(server.port) >= CLIENTS)
        server.process.send_signal(signal.SIGTERM)
        os.kill(worker, signal.SIGCONT)
        assert Counter(answer.result().status_code for answer in answers) == {200: CLIENTS}
    assert server.process.wait(BOUND_S) == 0


def connections_to(port: int) -> int:
    """How many connections to a port of this machine are established, accepted or not."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(
        local.endswith(f":{port:04X}") and state == "01" for _, local, _, state, *_ in fields
    )


def end_while_busy(server: Server, pool: ThreadPoolExecutor) -> None:
    connections = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(CLIENTS)]
    for connection in connections:
        connection.connect()  # It is established, though perhaps not accepted yet.
    answers = [pool.submit(answered, connection) for connection in connections]
    server.until(lambda: server.metric("dctnet_slots_busy") > 0)
    assert server.stop() == 0
    assert Counter(answer.result() for answer in answers) == {200: CLIENTS}


def answered(connection: http.client.HTTPConnection) -> int:
    connection.request("POST", "/v1/cartoons", PICTURE)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.mark.promise("Lifecycle: a graceful shutdown completes every request and exits with 0")
def test_during_the_drain_delay_new_clients_are_served_and_readiness_is_red(
    start_timed: Start,
) -> None:
    server = start_timed(0, DCTNET_DRAIN_DELAY=3)
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.until(lambda: server.probe("/readyz") == 503)
    assert time.monotonic() - started < 1
    assert server.probe("/livez") == 200
    served = 0
    while time.monotonic() - started < 2:
        response = post(server)
        assert response.status_code == 200
        assert response.headers["Connection"] == "close"
        served += 1
    assert served > 1
    assert server.metric("dctnet_state", state="draining") == 1
    assert server.process.wait(BOUND_S) == 0
    assert 3 <= time.monotonic() - started < 15


@pytest.mark.promise("Single host: a killed replica comes back, and no request is lost")
def test_a_worker_that_is_killed_is_back_by_itself(start_timed: Start) -> None:
    server = start_timed(0)
    killed = server.worker()
    os.kill(killed, signal.SIGKILL)
    server.until(lambda: _replaced(server, killed))
    server.wait_for(200)
    assert post(server).status_code == 200
    assert server.stop() == 0


def _replaced(server: Server, killed: int) -> bool:
    try:
        return server.worker() != killed
    except ValueError:  # Between the two there is none.
        return False
