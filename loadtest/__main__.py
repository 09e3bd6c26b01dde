"""``make loadtest``: 50 clients for 30 s against a server of its own, or the one at DCTNET_URL."""

import os
import sys

from loadtest import command
from tests.support.process import READY_S, Server

LOAD = ("--clients", "50", "--duration", "30", "--timeout", "300")
"""A small machine takes minutes to draw what 50 clients want of it; that is no failure."""


def main() -> int:
    """Load the server and return the client's exit status; more options come after LOAD's."""
    if url := os.environ.get("DCTNET_URL"):
        return command.main([url, *LOAD, *sys.argv[1:]])
    settings = {name: value for name, value in os.environ.items() if name.startswith("DCTNET_")}
    with Server(**settings) as server:
        try:
            server.wait_for(200, READY_S)
        except AssertionError:
            if status := server.process.poll():  # It has said why.
                return status
            raise
        return command.main([server.url, *LOAD, *sys.argv[1:]])


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130  # What a shell reports for a command that SIGINT ended.
    sys.exit(status)
