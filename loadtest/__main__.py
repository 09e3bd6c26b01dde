"""``make loadtest``: 50 clients for 30 s against a server of its own, or the one at DCTNET_URL."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from loadtest import command

LOAD = ("--clients", "50", "--duration", "30", "--timeout", "300")
"""A small machine takes minutes to draw what 50 clients want of it; that is no failure."""

READY_S = 300
"""How long a server may take to load its model; reading TensorFlow from a cold disk is slow."""

ASK_S = 10
"""How long one answer to whether it is ready may take."""

END_S = 90
"""How long it may take to end: longer than it waits for the requests that it accepted."""


def main() -> int:
    """Load the server and return the client's exit status; more options come after LOAD's."""
    if url := os.environ.get("DCTNET_URL"):
        return command.main([url, *LOAD, *sys.argv[1:]])
    with _server() as url:
        return command.main([url, *LOAD, *sys.argv[1:]])


@contextmanager
def _server() -> Iterator[str]:
    """Start `dctnet serve` and give its URL once it is ready; end it, whatever happens."""
    with (
        socket.create_server(("127.0.0.1", 0)) as probe,
        socket.create_server(("127.0.0.1", 0)) as management_probe,
    ):
        address, management = (
            f"127.0.0.1:{server.getsockname()[1]}" for server in (probe, management_probe)
        )
    process = subprocess.Popen(
        [sys.executable, "-m", "dctnet", "serve", "--bind", address],
        env=os.environ | {"DCTNET_MANAGEMENT_BIND": management},
    )
    try:
        _wait_until_ready(f"http://{address}/health", process)
        yield f"http://{address}"
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_until_ready(health: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_S
    while not _is_ready(health):
        if process.poll() is not None:
            sys.exit(process.returncode)  # It said why.
        if time.monotonic() > deadline:
            sys.exit(f"The server was not ready within {READY_S} s.")
        time.sleep(0.1)


def _is_ready(health: str) -> bool:
    try:
        with urllib.request.urlopen(health, timeout=ASK_S):  # noqa: S310 - Our own server's.
            return True
    except OSError:  # Nobody listens yet, or the answer is 503.
        return False


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130  # What a shell reports for a command that SIGINT ended.
    sys.exit(status)
