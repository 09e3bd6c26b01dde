"""A server of its own for a load or a benchmark: `dctnet serve` on free ports, ended by its id."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from loadtest.processes import free_ports

READY_S = 300
"""How long a server may take to load its model; reading TensorFlow from a cold disk is slow."""

POLL_S = 0.01
"""How often it is asked whether it is ready: starts are measured by it."""

ASK_S = 10
"""How long one answer to whether it is ready may take."""

END_S = 90
"""How long it may take to end: longer than it waits for the requests that it accepted."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready."""

    url: str
    management: str
    """Where its probes and metrics are."""
    process: "subprocess.Popen[bytes]"


@contextmanager
def serving(**settings: object) -> Iterator[Server]:
    """Start a server with settings of these names, wait until it is ready; end it at last.

    Its log is thrown away, its messages go to standard error. Ends the program where the server
    does not become ready.
    """
    bind, management = (f"127.0.0.1:{port}" for port in free_ports(2))
    settings |= {"DCTNET_BIND": bind, "DCTNET_MANAGEMENT_BIND": management}
    command = [sys.executable, "-m", "dctnet", "serve"]
    with started(command, settings, subprocess.DEVNULL) as process:
        server = Server(f"http://{bind}", f"http://{management}", process)
        wait_until_ready(server)
        yield server


@contextmanager
def started(
    command: Sequence[str],
    settings: Mapping[str, object],
    stdout: int,
    stderr: int | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process with settings in its environment, and end it at last."""
    environ = os.environ | {name: str(value) for name, value in settings.items()}
    process = subprocess.Popen(command, env=environ, stdout=stdout, stderr=stderr)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until_ready(server: Server) -> None:
    """Wait until a server is ready; end the program where it does not become ready."""
    deadline = time.monotonic() + READY_S
    while not _is_ready(server):
        if server.process.poll() is not None:
            sys.exit(server.process.returncode)  # It said why.
        if time.monotonic() > deadline:
            sys.exit(f"The server was not ready within {READY_S} s.")
        time.sleep(POLL_S)


def _is_ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.management}/readyz", timeout=ASK_S):  # noqa: S310
            return True
    except OSError:  # Nobody listens yet, or the answer is 503.
        return False
