"""External monitoring of a replica: memory, probes and log."""

import http.client
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.process import memory

if TYPE_CHECKING:
    import subprocess

INTERVAL_S = 1.0
PROBE_ADDRESS = "127.0.0.9"
"""Source address of the probes, distinct from all clients as a kubelet's is."""
PROBE_TIMEOUT_S = 5
PROBES = ("/livez", "/readyz")

LOG_BLOCKED_S = 20
"""Time in which the log pipes are not read, in seconds."""
LOG_READ_S = 2
"""Time in which they are then read, in seconds."""
PIPE_READ_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe and its status; times are monotonic, in seconds."""

    path: str
    started_s: float
    ended_s: float
    status: int | None
    """None without a response in time."""


@dataclass
class Observation:
    """Peak resource usage of a replica, and its probes."""

    rss: int = 0
    """Resident memory of the worker at the last sample, in bytes."""
    peak_worker: int = 0
    """Peak resident memory (VmHWM) of the worker, in bytes."""
    peak_arbiter: int = 0
    peak_descriptors: int = 0
    peak_threads: int = 0
    probes: list[Probe] = field(default_factory=list)


@contextmanager
def observe(arbiter: int, worker: int, management: str) -> Iterator[Observation]:
    """Sample processes and send probes until the block ends."""
    observation, ended = Observation(), Event()
    threads = [
        Thread(target=_sample_processes, args=(arbiter, worker, observation, ended)),
        *(
            Thread(target=_send_probes, args=(management + p, p, observation, ended))
            for p in PROBES
        ),
    ]
    for thread in threads:
        thread.start()
    try:
        yield observation
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _sample_processes(arbiter: int, worker: int, seen: Observation, ended: Event) -> None:
    while not ended.wait(INTERVAL_S):
        # A dead worker is detected later by its process ID.
        with suppress(OSError, IndexError):
            seen.rss = memory(worker, "VmRSS")
            seen.peak_worker = max(seen.peak_worker, memory(worker, "VmHWM"))
            seen.peak_arbiter = max(seen.peak_arbiter, memory(arbiter, "VmHWM"))
            seen.peak_descriptors = max(seen.peak_descriptors, _entries(f"/proc/{worker}/fd"))
            seen.peak_threads = max(seen.peak_threads, _entries(f"/proc/{worker}/task"))


def _entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _send_probes(url: str, path: str, seen: Observation, ended: Event) -> None:
    parts = urlsplit(url)
    while not ended.wait(INTERVAL_S):
        started_s = time.monotonic()
        connection = http.client.HTTPConnection(
            parts.netloc, timeout=PROBE_TIMEOUT_S, source_address=(PROBE_ADDRESS, 0)
        )
        status = None
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            status = connection.getresponse().status
        connection.close()
        seen.probes.append(Probe(path, started_s, time.monotonic(), status))


class IntermittentLogReader:
    """Reads the log pipes intermittently, so that they are full most of the time."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.lines = 0
        """Log lines received."""
        self.broken_lines = 0
        """Log lines that are not JSON."""
        self.messages: Counter[str] = Counter()
        """Messages outside the access log, with numbers masked."""
        self.exceptions = 0
        """Number of records with an exception."""
        self._partial_lines = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
        self._ended = Event()
        self._thread = Thread(target=self._run)
        for descriptor in self._partial_lines:
            os.set_blocking(descriptor, False)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read intermittently until the block ends, then read the rest."""
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(LOG_BLOCKED_S):
            self._read()
        self._read()

    def _read(self) -> None:
        until = time.monotonic() + LOG_READ_S
        while time.monotonic() < until:
            for descriptor in self._partial_lines:
                with suppress(BlockingIOError):
                    self._split_lines(descriptor, os.read(descriptor, PIPE_READ_BYTES))
            time.sleep(0.01)

    def _split_lines(self, descriptor: int, data: bytes) -> None:
        *lines, self._partial_lines[descriptor] = (self._partial_lines[descriptor] + data).split(
            b"\n"
        )
        for line in lines:
            self.lines += 1
            try:
                record = json.loads(line)
            except ValueError:
                self.broken_lines += 1
                record = {"logger": "none", "message": line.decode(errors="replace")}
            self.exceptions += "exception" in record
            if record["logger"] != "dctnet.access":
                self.messages[re.sub(r"\d+", "N", record["message"])] += 1
