"""Timed servers that share one process's imports and start quickly: run as a module.

Its arguments are pairs of ports: service and management. It forks a process per pair, terminates
them on SIGTERM, and exits with 0 once all of them have exited with 0.
"""

import os
import signal
import sys
from typing import Any

from tests.server import timed_server


def main(ports: list[str]) -> int:
    running = set()
    for port, management in zip(ports[::2], ports[1::2], strict=True):
        pid = os.fork()
        if not pid:
            os.environ["DCTNET_BIND"] = f"127.0.0.1:{port}"
            os.environ["DCTNET_MANAGEMENT_BIND"] = f"127.0.0.1:{management}"
            timed_server.serve()
        running.add(pid)

    def end(*_: Any) -> None:
        for pid in running:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    statuses = set()
    while running:
        pid, status = os.wait()
        running.remove(pid)
        statuses.add(status)
    return int(statuses != {0})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
