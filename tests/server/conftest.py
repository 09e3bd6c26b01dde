"""Servers as an operator starts them: `dctnet serve` in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.support.tiny_model import write_tiny_model

DCTNET = Path(sys.executable).with_name("dctnet")

BOUND_S = 90
"""How long anything may take here, on a busy machine too."""


class Server:
    """A running server; `stop` ends it."""

    def __init__(self, model: Path, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("DCTNET_", "TF_"))}
        settings = {"DCTNET_MODEL": str(model), "DCTNET_BIND": f"127.0.0.1:{self.port}"}
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                [DCTNET, "serve"], env=environ | settings, stdout=stderr, stderr=stderr
            )

    def log(self) -> list[str]:
        """All lines that it wrote."""
        return self._log.read_text().splitlines()

    def wait_for(self, status: int) -> None:
        """Wait until `GET /health` answers so."""
        until(lambda: self._health() == status, self.process)

    def _health(self) -> int | None:
        try:
            return requests.get(f"{self.url}/health", timeout=BOUND_S).status_code
        except requests.ConnectionError:
            return None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(BOUND_S)


def until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """Poll for a condition while the process runs."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Path], Server]]:
    """Starts a server with a model; whatever runs at the end of the test is ended."""
    with ExitStack() as stack:

        def start(model: Path) -> Server:
            server = Server(model, tmp_path / "log")
            stack.callback(end, server.process)
            return server

        yield start


@pytest.fixture(scope="module")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that is ready, for all tests of a file."""
    server = Server(tiny, tmp_path_factory.mktemp("server") / "log")
    try:
        server.wait_for(200)
        yield server
    finally:
        end(server.process)


def end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(BOUND_S)
        finally:
            process.kill()
