"""Fixtures: servers in their own processes, as `dctnet serve` starts them."""

import http.client
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving
from tests.support.shipped import COMIC
from tests.support.tiny_model import write_tiny_model

Start = Callable[..., Server]
LISTENING, ESTABLISHED = "0A", "01"
TIMED = [sys.executable, "-m", "tests.server.timed_server"]
IMAGE = encoded(gradient(40, 24))
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def post(
    server: Server, data: object = IMAGE, query: str = "", **headers: str
) -> requests.Response:
    """Send an image, by default a small one."""
    url = f"{server.url}/v1/cartoons{query}"
    return requests.post(url, data=data, headers=headers, timeout=BOUND_S)


def open_connection(server: Server, data: bytes = b"") -> socket.socket:
    """Open a connection and send these bytes."""
    client = socket.create_connection(("127.0.0.1", server.port), BOUND_S)
    client.sendall(data)
    return client


def read_response(client: socket.socket) -> tuple[http.client.HTTPResponse, bytes]:
    """Read a response of a connection that may stay open, and its content."""
    response = http.client.HTTPResponse(client)
    response.begin()
    return response, response.read()


def read_until_close(client: socket.socket, *ends: type[OSError]) -> bytes:
    """Read until the server closes, or until one of these errors."""
    parts = []
    with suppress(*ends):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def kernel_sockets(port: int) -> list[tuple[str, bool]]:
    """Kernel sockets of a local port: their state, and whether a process has them.

    The states are the kernel's numbers.
    """
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [(row[3], row[9] != "0") for row in rows if row[1].endswith(f":{port:04X}")]


@contextmanager
def open_connections(
    server: Server, number: int, data: bytes = b""
) -> Iterator[list[socket.socket]]:
    """Open connections, and send these bytes on each."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_connection(server, data)) for _ in range(number)]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of frozen graphs: to import TensorFlow for them costs a server four seconds."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shared server of the shipped comic, a converted one; tests must not change it."""
    with serving(tmp_path_factory.mktemp("server") / "log", DCTNET_STYLES=COMIC) as server:
        yield server


@pytest.fixture(scope="session")
def timed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shared server whose inference takes no time; tests must not change it."""
    with serving(tmp_path_factory.mktemp("timed") / "log", TIMED, TIMED_SECONDS=0) as server:
        yield server


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server with a model; it is stopped after the test."""
    with ExitStack() as stack:

        def start(model: Path, **settings: object) -> Server:
            server = Server(tmp_path / "log", DCTNET_STYLES=model, **settings)
            return stack.enter_context(server)

        yield start


@pytest.fixture
def start_timed(tmp_path: Path) -> Iterator[Start]:
    """Starts servers whose engine waits on the clock, and waits until they are ready."""
    with ExitStack() as stack:

        def start(seconds: float, **settings: object) -> Server:
            log = tmp_path / f"{len(list(tmp_path.iterdir()))}.log"
            return stack.enter_context(serving(log, TIMED, TIMED_SECONDS=seconds, **settings))

        yield start
