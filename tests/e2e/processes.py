"""Processes of a replica: prints their IDs by role, and signals some; runs in its container.

The container gets this source by `python -c`, so it imports only the standard library.
"""

import json
import os
import signal
import sys
from pathlib import Path


def process_ids() -> dict[str, list[int]]:
    """Return the process IDs of the arbiter, of its worker, and of the codec processes."""
    parents: dict[int, int] = {}
    arguments: dict[int, list[str]] = {}
    for folder in Path("/proc").glob("[1-9]*"):
        try:
            # The program's name, in parentheses, may contain spaces.
            _, _, fields = (folder / "stat").read_text().rpartition(")")
            command = (folder / "cmdline").read_text()
        except OSError:  # It has ended meanwhile.
            continue
        parents[int(folder.name)] = int(fields.split()[1])
        arguments[int(folder.name)] = command.split("\0")
    servers = {pid for pid in parents if "serve" in arguments[pid]}
    return {
        "arbiter": [pid for pid in servers if parents[pid] not in servers],
        "worker": [pid for pid in servers if parents[pid] in servers],
        "codecs": [pid for pid, each in arguments.items() if "dctnet.codecs.launcher" in each],
    }


def main(signal_name: str = "", *roles: str) -> None:
    found = process_ids()
    for role in roles:
        for pid in found[role]:
            os.kill(pid, signal.Signals[signal_name])
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
