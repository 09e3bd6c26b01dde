"""Servers and other processes under test: ports, start, logs, memory, stop."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from tests.support import metrics
from tests.support.polling import BOUND_S, until
from tests.support.repo import environment

T = TypeVar("T")

ACCESS_LOGGER = "dctnet.access"

READY_S = 300
"""How long a server may take to load its model; reading TensorFlow from a cold disk is slow."""

_CPUCLOCK_SCHED = 2
"""Kind of a clock that counts in nanoseconds what the scheduler gave a process."""

FIRST_PORT, PORTS_A_WORKER = 10_000, 2_000
"""Below those that the kernel gives to clients (32768 and up), which could take a port between the
moment when it was found free and its use."""


def _ports() -> Iterator[int]:
    """Ports of this test process; parallel test processes have others."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 11
    start = random.randrange(PORTS_A_WORKER)
    for number in itertools.count(start):
        yield FIRST_PORT + worker * PORTS_A_WORKER + number % PORTS_A_WORKER


_PORTS = _ports()


def free_ports(number: int, *, in_a_row: bool = False) -> list[int]:
    """Return different free local ports."""
    ports: list[int] = []
    while len(ports) < number:
        port = next(_PORTS)
        if in_a_row and ports and port != ports[-1] + 1:
            ports.clear()
        if _is_free(port):
            ports.append(port)
        elif in_a_row:
            ports.clear()
    return ports


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("", port)):
        return True
    return False


@contextmanager
def running(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    stdout: "int | IO[str] | None" = None,
    stderr: "int | IO[str] | None" = None,
    *,
    cwd: Path | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process, and terminate it after the block."""
    process = subprocess.Popen(command, env=env, stdout=stdout, stderr=stderr, cwd=cwd)
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Terminate a process by SIGTERM, then by SIGKILL."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(BOUND_S)
        finally:
            process.kill()
            process.wait(BOUND_S)


def is_fault(line: str) -> bool:
    """Whether a log line is not a record of dctnet's modules, or has an exception."""
    try:
        record = json.loads(line)
    except ValueError:
        return True
    return not record["logger"].startswith("dctnet.") or "exception" in record


class Server:
    """A running server; stopped by `stop` or at the end of a ``with`` block."""

    def __init__(
        self,
        log: Path | None = None,
        command: Sequence[str | Path] = (),
        stdout: int = subprocess.DEVNULL,
        stderr: int | None = None,
        /,
        *,
        host: str = "127.0.0.1",
        **settings: object,
    ) -> None:
        """Start it with these settings, on free ports of a host; an empty one is all addresses.

        With ``log`` it writes its log to that file, and standard output to one beside it.
        """
        self.port, management = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.management = f"http://127.0.0.1:{management}"
        binds: dict[str, object] = {
            "DCTNET_BIND": f"{host}:{self.port}",
            "DCTNET_MANAGEMENT_BIND": f"{host}:{management}",
        }
        self._log = log
        with ExitStack() as stack:
            if log is not None:
                stdout = stack.enter_context(log.with_suffix(".out").open("w")).fileno()
                stderr = stack.enter_context(log.open("w")).fileno()
            self.process = subprocess.Popen(
                command or [sys.executable, "-m", "dctnet", "serve"],
                env=environment(**binds | settings),
                stdout=stdout,
                stderr=stderr,
            )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process)

    def text(self) -> str:
        """Its log so far; a thread of the server writes it."""
        assert self._log is not None, "without a log, nothing is kept of what it writes"
        return self._log.read_text()

    def lines(self) -> list[str]:
        """All lines of its log so far."""
        return self.text().splitlines()

    def records(self) -> list[dict[str, Any]]:
        """All records of its log, each a line of JSON, but one that is still being written."""
        whole, _, _ = self.text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        """The records of the access log."""
        return [record for record in self.records() if record["logger"] == ACCESS_LOGGER]

    def messages(self) -> list[str]:
        """The messages of all other records."""
        records = self.records()
        return [record["message"] for record in records if record["logger"] != ACCESS_LOGGER]

    def faults(self) -> list[str]:
        """Lines that a server never writes unless it or a library fails."""
        return [line for line in self.lines() if is_fault(line)]

    def logged(self, number: int) -> list[dict[str, Any]]:
        """The records of the access log, once there are this many."""
        self.until(lambda: len(self.requests()) >= number)
        return self.requests()

    def probe(self, path: str) -> int:
        """Request a probe, and return its status."""
        status = _status(self.management + path)
        assert status is not None, f"no listener at {self.management}"
        return status

    def metric(self, name: str, **labels: str) -> float:
        """Return a metric's value, or 0 if it does not exist yet."""
        return metrics.metric(self.management, name, **labels)

    def worker(self) -> int:
        """Return the worker's process id."""
        return only_child(self.process.pid)

    def codec_processes(self) -> list[int]:
        """Return the ids of the codec processes: the children of the worker's launcher."""
        return children(only_child(self.worker()))

    def until(
        self, ports: Callable[[], T], what: str = "it did not happen", bound_s: float = BOUND_S
    ) -> T:
        """Poll until a condition is true, while the server runs."""
        return until(ports, what, process=self.process, bound_s=bound_s)

    def wait_for(self, status: int, bound_s: float = BOUND_S) -> None:
        """Wait until `GET /health` has this status."""
        self.until(
            lambda: _status(f"{self.url}/health") == status, f"{self.url} is not {status}", bound_s
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(BOUND_S)


def _status(url: str) -> int | None:
    """Status of a response, or None without a listener."""
    try:
        with urllib.request.urlopen(url, timeout=BOUND_S) as response:
            return int(response.status)
    except urllib.error.HTTPError as rejection:
        return rejection.code
    except OSError:
        return None


@contextmanager
def serving(
    log: Path | None = None,
    command: Sequence[str | Path] = (),
    /,
    *,
    host: str = "127.0.0.1",
    **settings: object,
) -> Iterator[Server]:
    """A ready server; stopped at the end of the block."""
    with Server(log, command, host=host, **settings) as server:
        server.wait_for(200, READY_S)
        yield server


def only_child(pid: int) -> int:
    """Return the id of a process's child; raise ValueError unless it has exactly one."""
    (child,) = children(pid)
    return child


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def state(pid: int) -> str:
    """Return a process's state in one letter: T if stopped, Z if ended."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def has_exited(pid: int) -> bool:
    """Whether a process has exited, or is a zombie that its new parent does not reap."""
    try:
        return state(pid) == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def family(pid: int) -> list[int]:
    """Return the ids of a process, its children, their children, and so on."""
    return [pid, *(each for child in children(pid) for each in family(child))]


def memory(pid: int, figure: str) -> int:
    """Return a figure of a process's memory, in bytes: VmRSS for now, VmHWM for the peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{figure}:")[2].split()[0]) * 1024


def reset_peak_memory(pid: int) -> int:
    """Begin a process's VmHWM at what is resident now, which is returned in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return memory(pid, "VmRSS")


def proportional_memory(pid: int) -> int:
    """Return a process's share of the memory it uses, in bytes: shared pages count in parts."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) * 1024


def family_memory(pid: int) -> int:
    """Return the proportional memory of a process and its descendants together, in bytes."""
    return sum(map(proportional_memory, family(pid)))


def family_time(pid: int) -> float:
    """Return the CPU time of a process and its descendants, in seconds."""
    return sum(map(cpu_time, family(pid)))


def cpu_time(pid: int) -> float:
    """Return the CPU time of a process, in seconds."""
    # The name in brackets may have spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_clock(pid: int) -> float:
    """Return the CPU time of a process in seconds, as ``cpu_time`` but finer than a tick."""
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
