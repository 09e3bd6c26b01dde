"""Broken log streams cost no request, no probe and no graceful shutdown."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.server.conftest import post
from tests.server.timed_server import FAILING
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server, children, serving
from tests.support.repo import DCTNET
from tests.support.shipped import COMIC

REQUESTS = 100
QUEUE_BYTES = 8 * 1024
"""Less than the lines of the requests, so that some are dropped."""

NO_BLOCK_S = 20
"""Bound of a response and of shutdown: a blocking write exceeds it, a busy machine does not."""

FORMS = ["full", "closed", "no reader", "no space"]

LINES_PER_REQUEST = {"access": 1, "exceptions": 2}
"""Log lines by what a request writes: its record in the access log, and its exception too."""
WORKER_START_LINES = 2
"""Lines that a worker writes before its first request: its runtimes, and that it is ready."""

SERVE = f"""
import runpy
from dctnet import log_writer
log_writer.QUEUE_BYTES = {QUEUE_BYTES}
runpy.run_module("tests.server.timed_server", run_name="__main__")
"""
WITH_A_LIBRARY = """
import os, sys
from dctnet.cli import main
from dctnet.runtimes.stderr_filter import filtered_stderr
def load():
    with filtered_stderr():
        os.write(2, b"a library writes to the descriptor itself\\n")
os.register_at_fork(after_in_child=load)
sys.exit(main(["serve"]))
"""


class Fifo:
    """A named pipe that a test holds open at both ends."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def fill(self) -> None:
        with suppress(BlockingIOError):
            while True:
                os.write(self._end, b"\n" * 4096)

    def read(self) -> bytes:
        """Return its current content."""
        data = b""
        with suppress(BlockingIOError):
            while True:
                data += os.read(self._end, 65536)
        return data

    def close(self) -> None:
        if self._end is not None:
            os.close(self._end)
        self._end = None


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "fifo")
    yield fifo
    fifo.close()


@pytest.fixture
def start_with(tmp_path: Path, fifo: Fifo) -> Iterator[Callable[..., Server]]:
    """Starts a server with a broken standard stream."""
    with ExitStack() as stack:

        def start(
            form: str,
            *streams: str,
            command: tuple[str | Path, ...] = (sys.executable, "-c", SERVE),
            **settings: object,
        ) -> Server:
            target = {"closed": "&-", "no space": "/dev/full"}.get(form, str(fifo.path))
            if form == "full":
                fifo.fill()
            numbers = {"stdout": 1, "stderr": 2}
            redirections = " ".join(f"{numbers[stream]}>{target}" for stream in streams)
            shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", *command]
            server = stack.enter_context(
                serving(tmp_path / "log", shell, TIMED_SECONDS=0, **settings)
            )
            if form == "no reader":
                fifo.close()
            return server

        yield start


def send(server: Server, records: str) -> None:
    """Send requests that each write one record to the access log, and an exception if asked."""
    failing = encoded(gradient(24, FAILING))
    with requests.Session() as session:
        for _ in range(REQUESTS):
            if records == "access":
                response = session.get(f"{server.url}/v1/styles", timeout=NO_BLOCK_S)
                assert response.status_code == 200
            else:
                url = f"{server.url}/v1/cartoons"
                response = session.post(url, data=failing, timeout=NO_BLOCK_S)
                assert response.status_code == 500


def dropped(server: Server) -> int:
    return int(server.metric("dctnet_log_lines_dropped_total"))


def stop_in_time(server: Server) -> None:
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < NO_BLOCK_S


@pytest.mark.promise("Load: an unread log costs no request and no graceful shutdown")
@pytest.mark.parametrize("records", LINES_PER_REQUEST)
@pytest.mark.parametrize("form", FORMS)
def test_broken_log_stream_costs_no_request(start_with, tmp_path, form, records):
    server = start_with(form, "stderr")
    send(server, records)
    assert server.probe("/livez") == 200
    assert server.probe("/readyz") == 200
    if form == "full":
        assert dropped(server) > 0
    else:
        lines = REQUESTS * LINES_PER_REQUEST[records]
        server.until(lambda: dropped(server) >= lines)
        assert dropped(server) <= lines + WORKER_START_LINES
    stop_in_time(server)
    assert (tmp_path / "log.out").read_text() == ""


@pytest.mark.promise("Load: an unread log costs no request and no graceful shutdown")
@pytest.mark.parametrize("form", FORMS)
def test_broken_standard_output_costs_no_request_and_no_log_line(start_with, form):
    server = start_with(form, "stdout")
    send(server, "access")
    assert server.probe("/livez") == 200
    assert server.probe("/readyz") == 200
    assert dropped(server) == 0
    stop_in_time(server)
    assert len(server.requests()) == REQUESTS
    assert server.faults() == []


@pytest.mark.parametrize(
    ("form", "command", "frozen"),
    [
        # TensorFlow's libraries write to descriptor 2 directly, which is full.
        ("full", (DCTNET, "serve"), True),
        ("closed", (DCTNET, "serve"), False),
        ("no reader", (DCTNET, "serve"), False),
        # A direct write to descriptor 2 that fails.
        ("no space", (sys.executable, "-c", WITH_A_LIBRARY), False),
    ],
)
def test_server_starts_and_stops_with_both_streams_broken(
    start_with, request, form, command, frozen
):
    server = start_with(
        form,
        "stdout",
        "stderr",
        command=command,
        DCTNET_STYLES=request.getfixturevalue("tiny") if frozen else COMIC,
        DCTNET_UNKNOWN="said before the server starts",
        PYTHONWARNINGS="always",
    )
    assert [post(server).status_code for _ in range(5)] == [200] * 5
    assert server.probe("/livez") == 200
    if form == "closed":  # No other file has the streams' descriptors.
        for pid in server.process.pid, server.worker():
            for descriptor in 1, 2:
                assert Path(f"/proc/{pid}/fd/{descriptor}").readlink() == Path(os.devnull)
    assert server.stop() == 0


@pytest.mark.promise("Load: an unread log costs no request and no graceful shutdown")
def test_arbiter_with_full_log_stream_replaces_killed_worker(start_with):
    server = start_with("full", "stderr")
    for _ in range(2):
        killed = server.worker()
        os.kill(killed, signal.SIGKILL)
        server.until(lambda killed=killed: set(children(server.process.pid)) - {killed})  # type: ignore[misc]
        server.wait_for(200)
    assert server.stop() == 0


@pytest.mark.promise("Load: an unread log costs no request and no graceful shutdown")
def test_kept_access_records_arrive_whole_once_the_log_is_read(start_with, fifo):
    server = start_with("full", "stderr")
    send(server, "access")
    assert dropped(server) > 0
    records = read_until(fifo, lambda text: '"dropped"' in text, server)
    kept = [record for record in records if "route" in record]
    notices = [record["dropped"] for record in records if "dropped" in record]
    assert sum(notices) == dropped(server)
    assert len(kept) + sum(notices) == REQUESTS
    # Later lines are not dropped.
    requests.get(f"{server.url}/v1/styles", timeout=BOUND_S)
    (record,) = read_until(fifo, lambda text: text.endswith("\n"), server)
    assert record["route"] == "/v1/styles"
    assert server.stop() == 0


def test_kept_exceptions_arrive_whole_once_the_log_is_read(start_with, fifo):
    server = start_with("full", "stderr")
    send(server, "exceptions")
    assert dropped(server) > 0
    records = read_until(fifo, lambda text: '"dropped"' in text, server)
    failures = [record for record in records if "exception" in record]
    assert failures
    assert all(record["exception"].endswith("\nArithmeticError") for record in failures)
    kept = len(failures) + sum("route" in record for record in records)
    notices = [record["dropped"] for record in records if "dropped" in record]
    assert sum(notices) == dropped(server) == REQUESTS * LINES_PER_REQUEST["exceptions"] - kept


def read_until(fifo: Fifo, condition: Callable[[str], bool], server: Server) -> list[Any]:
    """Read records until a condition holds and nothing more comes."""
    text = ""

    def arrived() -> bool:
        nonlocal text
        more = fifo.read().decode()
        text += more
        return not more and condition(text)

    server.until(arrived)
    return [json.loads(line) for line in text.splitlines() if line]
