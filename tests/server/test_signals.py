"""Signals other than exit signals have no effect on a replica."""

import os
import pty
import select
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.conftest import post
from tests.support.polling import BOUND_S
from tests.support.process import serving

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
runpy.run_module("tests.server.timed_server", run_name="__main__")
"""
SETTLE_S = 1
"""Time for effects of a signal, such as another worker, in seconds."""


@pytest.mark.promise("Lifecycle: an orphaned worker frees its ports, completes its work and exits")
@pytest.mark.parametrize("receiver", ["arbiter", "worker", "process group"])
def test_other_signals_have_no_effect(tmp_path, receiver):
    command = [sys.executable, "-c", IN_A_SESSION]
    held = tmp_path / "held"
    with serving(tmp_path / "log", command, TIMED_SECONDS=0, TIMED_HELD=held) as server:
        worker = server.worker()

        def is_unchanged() -> bool:
            processes = server.process.poll(), server.worker()
            return processes == (None, worker) and server.probe("/readyz") == 200

        held.touch()
        with ThreadPoolExecutor() as pool:
            try:
                in_flight = pool.submit(post, server)
                server.until(lambda: server.metric("dctnet_slots_busy") > 0)
                for number in OTHERS:
                    if receiver == "process group":
                        os.killpg(server.process.pid, number)
                    else:
                        os.kill(worker if receiver == "worker" else server.process.pid, number)
                    assert is_unchanged(), number
                time.sleep(SETTLE_S)
                assert is_unchanged()
            finally:
                held.unlink()
            assert in_flight.result().status_code == 200
        assert post(server).status_code == 200


def test_closed_terminal_has_no_effect(tmp_path):
    terminal, child_side = pty.openpty()
    name = os.ttyname(child_side)
    command = [sys.executable, "-c", IN_A_SESSION]
    with serving(tmp_path / "log", command, TIMED_SECONDS=0, TERMINAL=name) as server:
        worker = server.worker()
        shown = b""
        while b"ready; " not in shown:  # The last line that it writes at start.
            assert select.select([terminal], [], [], BOUND_S)[0], shown
            shown += os.read(terminal, 4096)
        os.close(child_side)
        os.close(terminal)
        assert [post(server).status_code for _ in range(5)] == [200] * 5
        server.until(lambda: server.metric("dctnet_log_lines_dropped_total") == 5)
        assert server.worker() == worker
        assert server.stop() == 0
