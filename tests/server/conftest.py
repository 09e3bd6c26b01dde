"""Servers as an operator starts them: `dctnet serve` in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from loadtest.processes import free_ports, only_child
from tests.support.tiny_model import write_tiny_model

ROOT = Path(__file__).parents[2]
DCTNET = Path(sys.executable).with_name("dctnet")

BOUND_S = 90
"""How long anything may take here, on a busy machine too."""


class Server:
    """A running server; `stop` ends it."""

    def __init__(self, log: Path, command: Sequence[str | Path], **settings: object) -> None:
        """Start it; it writes its requests to ``log`` and the rest to a file beside it."""
        self.port, management = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.management = f"http://127.0.0.1:{management}"
        self._log, self._messages = log, log.with_suffix(".err")
        foreign = ("DCTNET_", "OTEL_", "TF_")
        environ = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        environ |= {
            "DCTNET_BIND": f"127.0.0.1:{self.port}",
            "DCTNET_MANAGEMENT_BIND": f"127.0.0.1:{management}",
            "PYTHONPATH": f"{ROOT / 'service'}:{ROOT}",
        }
        environ |= {name: str(value) for name, value in settings.items()}
        with self._log.open("w") as stdout, self._messages.open("w") as stderr:
            self.process = subprocess.Popen(command, env=environ, stdout=stdout, stderr=stderr)

    def messages(self) -> list[str]:
        """All lines that it wrote to standard error."""
        return self._messages.read_text().splitlines()

    def requests(self) -> list[dict[str, Any]]:
        """The requests that it logged."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def probe(self, path: str) -> int:
        """Ask a probe, and return its status."""
        return requests.get(self.management + path, timeout=BOUND_S).status_code

    def metric(self, name: str, **labels: str) -> float:
        """Return a metric's value, or 0 where it is not there yet."""
        text = requests.get(f"{self.management}/metrics", timeout=BOUND_S).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return 0.0

    def worker(self) -> int:
        """Return the worker's process id."""
        return only_child(self.process.pid)

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


@contextmanager
def connections(server: Server, number: int, data: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open connections, each of which has sent these bytes."""
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = socket.create_connection(("127.0.0.1", server.port), BOUND_S)
            clients.append(stack.enter_context(client))
            client.sendall(data)
        yield clients


def logged(server: Server, number: int) -> list[dict[str, Any]]:
    """The requests that it logged, once there are so many: a line follows its answer."""
    until(lambda: len(server.requests()) >= number, server.process)
    return server.requests()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server with a model; whatever runs at the end of the test is ended."""
    with ExitStack() as stack:

        def start(model: Path, **settings: object) -> Server:
            server = Server(tmp_path / "log", [DCTNET, "serve"], DCTNET_MODEL=model, **settings)
            stack.callback(end, server.process)
            return server

        yield start


@pytest.fixture
def start_timed(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers whose engine waits on the clock, and waits until they are ready."""
    with ExitStack() as stack:

        def start(seconds: float, **settings: object) -> Server:
            command = [sys.executable, "-m", "tests.server.timed"]
            log = tmp_path / f"{len(list(tmp_path.iterdir()))}.log"
            server = Server(log, command, TIMED_SECONDS=seconds, **settings)
            stack.callback(end, server.process)
            server.wait_for(200)
            return server

        yield start


@pytest.fixture(scope="module")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that is ready, for all tests of a file."""
    with ready(tiny, tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@contextmanager
def ready(model: Path, log: Path) -> Iterator[Server]:
    """A server of a model, when it is ready."""
    server = Server(log, [DCTNET, "serve"], DCTNET_MODEL=model)
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
