"""``make loadtest``: 50 clients for 30 s against a new server or DCTNET_URL."""

import os
import sys

from loadtest import command
from tests.support.process import READY_S, Server

LOAD = ("--clients", "50", "--duration", "30", "--timeout", "300")
"""Default options; the timeout is long because a small machine takes minutes for 50 images."""


def main() -> int:
    """Run the load test and return its exit status; command-line options override LOAD."""
    if url := os.environ.get("DCTNET_URL"):
        return command.main([url, *LOAD, *sys.argv[1:]])
    settings = {name: value for name, value in os.environ.items() if name.startswith("DCTNET_")}
    with Server(**settings) as server:
        try:
            server.wait_for(200, READY_S)
        except AssertionError:
            if status := server.process.poll():  # The server has printed the reason.
                return status
            raise
        return command.main([server.url, *LOAD, *sys.argv[1:]])


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130  # The shell's status for a command terminated by SIGINT.
    sys.exit(status)
