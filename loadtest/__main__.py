"""``make loadtest``: scenario steady-50 against a new server or DCTNET_URL, with an HTML report."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from loadtest import command

RESULTS = Path("build")
"""Folder of the HTML report and of the new server's log."""

LOAD = ("--scenario", "steady-50", "--html", str(RESULTS / "loadtest.html"))
"""Default options; those of the command line override them."""

READY_S = 300
"""Time in which the server must be ready, in seconds."""

POLL_INTERVAL_S = 0.2
STOP_TIMEOUT_S = 60
"""Time in which the server must exit after SIGTERM, in seconds."""


class ServerExited(Exception):
    """The server exited before it was ready; holds its status."""


def main() -> int:
    """Run the load test and return its exit status."""
    RESULTS.mkdir(exist_ok=True)
    if url := os.environ.get("DCTNET_URL"):
        return command.main([url, *LOAD, *sys.argv[1:]])
    try:
        with _server() as (url, management):
            return command.main([url, "--metrics", management, *LOAD, *sys.argv[1:]])
    except ServerExited as exited:
        return int(exited.args[0])


@contextmanager
def _server() -> Iterator[tuple[str, str]]:
    """Start a server with the settings of the environment; yield its URL and management URL."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        binds = ["{}:{}".format(*listener.getsockname()) for listener in (one, two)]
    log = RESULTS / "loadtest-server.log"
    with log.open("w") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "dctnet", "serve"],
            env=os.environ | {"DCTNET_BIND": binds[0], "DCTNET_MANAGEMENT_BIND": binds[1]},
            stdout=subprocess.DEVNULL,
            stderr=lines,
        )
    try:
        try:
            _wait_until_ready(process, f"http://{binds[1]}/readyz")
        except ServerExited:
            with log.open() as lines:
                shutil.copyfileobj(lines, sys.stderr)
            raise
        yield f"http://{binds[0]}", f"http://{binds[1]}"
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        finally:
            process.kill()


def _wait_until_ready(process: "subprocess.Popen[bytes]", probe: str) -> None:
    opener = build_opener(ProxyHandler({}))
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s:
        if status := process.poll():
            raise ServerExited(status)
        try:
            with opener.open(probe, timeout=POLL_INTERVAL_S * 10):
                return
        except (OSError, HTTPException):  # Not yet listening, or 503.
            time.sleep(POLL_INTERVAL_S)
    print(f"The server was not ready within {READY_S} s.", file=sys.stderr)
    raise ServerExited(1)


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130  # The shell's status for a command terminated by SIGINT.
    sys.exit(status)
