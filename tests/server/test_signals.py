"""Signals that do not end a replica leave it as it is."""

import os
import pty
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server, end

PICTURE = encoded(gradient(40, 24))

ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL}
FAULTS = {"ABRT", "BUS", "FPE", "ILL", "SEGV", "SYS", "TRAP"}
STOPPING = {signal.SIGSTOP, signal.SIGTSTP}
OTHERS = sorted(
    signal.valid_signals()
    - ENDING
    - STOPPING
    - {getattr(signal, f"SIG{name}") for name in FAULTS}
    # Of the real-time signals, the first and the last.
    - set(range(signal.SIGRTMIN + 1, signal.SIGRTMAX))
)

IN_A_SESSION = """
import os, runpy
os.setsid()
if terminal := os.environ.get("TERMINAL"):
    controlling = os.open(terminal, os.O_RDWR)
    os.dup2(controlling, 1)
    os.dup2(controlling, 2)
runpy.run_module("tests.server.timed", run_name="__main__")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A replica in a process group of its own."""
    log = tmp_path_factory.mktemp("server") / "log"
    server = Server(log, [sys.executable, "-c", IN_A_SESSION], TIMED_SECONDS=0.3)
    try:
        server.wait_for(200)
        yield server
    finally:
        end(server.process)


def post(server: Server) -> int:
    return requests.post(f"{server.url}/v1/cartoons", data=PICTURE, timeout=BOUND_S).status_code


@pytest.mark.promise("Lifecycle: an orphaned worker frees its ports, completes its work and exits")
@pytest.mark.parametrize("receiver", ["arbiter", "worker", "process group"])
@pytest.mark.parametrize("number", OTHERS, ids=lambda number: str(getattr(number, "name", number)))
def test_a_signal_that_does_not_end_a_replica_leaves_it_as_it_is(
    server: Server, number: int, receiver: str
) -> None:
    worker = server.worker()
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(post, server)
        server.until(lambda: server.metric("dctnet_slots_busy") > 0)
        if receiver == "process group":
            os.killpg(server.process.pid, number)
        else:
            os.kill(worker if receiver == "worker" else server.process.pid, number)
        assert in_flight.result() == 200
    assert post(server) == 200
    assert server.process.poll() is None
    assert server.worker() == worker
    assert server.probe("/readyz") == 200


def test_a_terminal_that_closes_leaves_a_replica_as_it_is(tmp_path: Path) -> None:
    terminal, child_side = pty.openpty()
    name = os.ttyname(child_side)
    server = Server(
        tmp_path / "log",
        [sys.executable, "-c", IN_A_SESSION],
        TIMED_SECONDS=0.3,
        TERMINAL=name,
    )
    try:
        server.wait_for(200)
        worker = server.worker()
        os.close(child_side)
        os.close(terminal)
        assert [post(server) for _ in range(5)] == [200] * 5
        server.until(lambda: server.metric("dctnet_log_lines_lost_total", stream="stdout") == 5)
        assert server.worker() == worker
        assert server.stop() == 0
    finally:
        end(server.process)
