"""Shortages of file descriptors and threads: the worker survives and recovers."""

import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from dctnet.server.file_descriptors import RESERVED
from dctnet.server.thread_pool import RESERVED_THREADS
from dctnet.shared_limits import SPARE_THREADS
from tests.server.conftest import TIMED, open_connections
from tests.server.test_slow_readers import cartoon_of_noise, silent_readers
from tests.support.confinement import ONE_BLAS_THREAD
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server, cpu_time, memory, serving

STACK_BYTES = 8 * 1024 * 1024
"""Address space of one thread's stack, by default."""

IMAGES = [encoded(gradient(40, 24), format) for format in ("PNG", "JPEG", "WEBP", "AVIF")]
ROOM = 40
"""Connections that the limit of open files leaves in some tests."""


def static_files(server: Server, session: requests.Session) -> list[str]:
    page = session.get(server.url, timeout=BOUND_S).text
    return [f"/{link}" for link in re.findall(r'(?:href|src)="(static/[^"]+)"', page)]


def is_healthy(server: Server, session: requests.Session | None = None) -> bool:
    get = (session or requests).get
    return get(f"{server.url}/health", timeout=BOUND_S).status_code == 200


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.fixture
def start_wrapped(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server through a wrapper command."""
    with ExitStack() as stack:

        def start(*before: str) -> Server:
            command = [*before, *TIMED]
            return stack.enter_context(serving(tmp_path / "log", command, TIMED_SECONDS=0))

        yield start


def with_open_files(limit: int) -> list[str]:
    return ["sh", "-c", f'ulimit -n {limit} && exec "$0" "$@"']


@pytest.mark.promise("Load: without file descriptors or threads the worker survives and recovers")
def test_descriptor_limit_closes_oldest_idle_connections(start_wrapped):
    server = start_wrapped(*with_open_files(ROOM + RESERVED))
    worker = server.worker()
    requested = 64 + 64 + int(server.metric("dctnet_slots")) + SPARE_THREADS + 1024
    message = f"the limit of open files leaves room for {ROOM} connections, not {requested}"
    assert message in server.messages()
    with open_connections(server, 2 * ROOM) as clients:
        assert is_healthy(server)
        clients[0].settimeout(BOUND_S)
        assert clients[0].recv(1) == b""  # The oldest was closed.
        assert open_files(worker) <= ROOM + RESERVED
    # Silent readers that hold all connections are closed too.
    with silent_readers(server, ROOM + 10, cartoon_of_noise(700)):
        server.until(
            lambda: server.metric("dctnet_unread_responses_total", reason="connections") > 0
        )
        assert is_healthy(server)
    assert server.worker() == worker


def test_livez_fails_while_the_accept_loop_hangs(start_timed, tmp_path):
    hanging = tmp_path / "hanging"
    server = start_timed(0, TIMED_LOOP_HANGS=hanging)
    assert server.probe("/livez") == 200
    hanging.touch()
    with open_connections(server, 1, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") as (client,):
        server.until(lambda: server.probe("/livez") == 503)
        liveness = requests.get(f"{server.management}/livez", timeout=BOUND_S).text
        assert "[-]accept-loop" in liveness
        assert "[+]progress" in liveness
        hanging.unlink()
        server.until(lambda: server.probe("/livez") == 200)
        assert client.recv(4096).split()[1] == b"200"


def test_soft_descriptor_limit_is_raised(start_wrapped):
    server = start_wrapped("sh", "-c", 'ulimit -S -n 256 && exec "$0" "$@"')
    soft, _ = resource.prlimit(server.worker(), resource.RLIMIT_NOFILE)
    assert soft > SPARE_THREADS + 1024
    assert not any("limit of open files" in line for line in server.messages())


def test_too_low_descriptor_limit_fails_with_one_message(tmp_path):
    command = [*with_open_files(RESERVED), *TIMED]
    server = Server(tmp_path / "log", command, TIMED_SECONDS=0)
    assert server.process.wait(BOUND_S) == 1
    (line,) = server.messages()
    assert line.startswith(f"The limit of {RESERVED} open files leaves no room")


@pytest.mark.promise("Load: without file descriptors or threads the worker survives and recovers")
def test_descriptor_shortage_serves_connected_clients_then_others(
    start_timed,
):
    server = start_timed(0)
    worker = server.worker()
    with requests.Session() as session:
        assert is_healthy(server, session)
        limit = open_files(worker) + 5
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (limit, limit))
        with open_connections(server, 50):
            server.until(lambda: open_files(worker) == limit)
            before = cpu_time(worker)
            for _ in range(50):
                assert is_healthy(server, session)
            # No response reads a file on demand.
            for page in "/", "/docs", *static_files(server, session):
                assert session.get(server.url + page, timeout=BOUND_S).status_code == 200
            for image in IMAGES:
                response = session.post(f"{server.url}/v1/cartoons", image, timeout=BOUND_S)
                assert response.status_code == 200
            # Waiting takes no CPU time.
            assert cpu_time(worker) - before < 1
        server.until(lambda: is_healthy(server))
        assert server.metric("dctnet_shortages_total", resource="file_descriptors") > 0
    assert server.worker() == worker
    assert server.stop() == 0


def test_drain_serves_clients_that_wait_for_a_descriptor(start_timed):
    server = start_timed(0, DCTNET_DRAIN_DELAY=0)
    worker = server.worker()
    limit = open_files(worker) + 10
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (limit, limit))
    with open_connections(server, 30, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") as clients:
        server.until(lambda: open_files(worker) == limit)
        server.process.send_signal(signal.SIGTERM)
        for client in clients:
            assert client.recv(1000).startswith(b"HTTP/1.1 ")
            client.close()
        assert server.process.wait(BOUND_S) == 0


@pytest.mark.promise("Load: without file descriptors or threads the worker survives and recovers")
def test_thread_shortage_delays_requests(start_timed):
    server = start_timed(0, DCTNET_HEADER_TIMEOUT=2, **ONE_BLAS_THREAD)
    worker = server.worker()
    # Root has no thread limit, so limit the address space for stacks.
    limit = memory(worker, "VmSize") + STACK_BYTES
    resource.prlimit(worker, resource.RLIMIT_AS, (limit, limit))
    # Each holds a thread until the header timeout.
    with open_connections(server, 3 * RESERVED_THREADS, b"GET / HTTP/1.1\r\n"):
        server.until(lambda: server.metric("dctnet_shortages_total", resource="threads") > 0)
        assert is_healthy(server)
        assert server.probe("/livez") == server.probe("/readyz") == 200
    assert server.worker() == worker
    assert server.stop() == 0
