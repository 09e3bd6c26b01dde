"""A replica: its container's state, its processes, and commands in its container."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import processes
from tests.e2e.cluster import CommandError, Namespace
from tests.e2e.pods import PYTHON

CONTAINER = "dctnet"

GET = """
import sys
from urllib.request import urlopen
print(urlopen(f"http://localhost:9090{sys.argv[1]}", timeout=3).read().decode())
"""
"""Prints a response of the management port; fails unless its status is 200."""


@dataclass(frozen=True)
class ReplicaPod:
    namespace: Namespace
    name: str

    def run(self, code: str, *args: str) -> str:
        """Run Python code in the container, and return its output."""
        container = f"--container={CONTAINER}"
        return self.namespace.kubectl("exec", self.name, container, "--", PYTHON, "-c", code, *args)

    def processes(self) -> dict[str, list[int]]:
        """Return the IDs of the processes by role, as `processes.process_ids` does."""
        return self.send_signal("")

    def send_signal(self, name: str, *roles: str) -> dict[str, list[int]]:
        """Send a signal to the processes of some roles; return all processes.

        The kernel ignores SIGKILL and SIGSTOP that process 1, normally the arbiter, gets from
        its own container.
        """
        ids: dict[str, list[int]] = json.loads(
            self.run(Path(processes.__file__).read_text(), name, *roles)
        )
        return ids

    def is_ready(self) -> bool:
        """Whether `/readyz` passes now: the kubelet notices later."""
        try:
            return "readyz passed" in self.run(GET, "/readyz?verbose")
        except CommandError:
            return False

    def metric(self, series: str) -> float:
        """Return the value of a metric's series, 0 without it."""
        lines = [line.rpartition(" ") for line in self.run(GET, "/metrics").splitlines()]
        return sum(float(value) for name, _, value in lines if name == series)

    def container(self) -> dict[str, Any]:
        """Return the container's status."""
        pod = json.loads(self.namespace.kubectl("get", "pod", self.name, "--output=json"))
        statuses = pod["status"].get("containerStatuses", [])
        status: dict[str, Any] = next(each for each in statuses if each["name"] == CONTAINER)
        return status

    def restarts(self) -> int:
        return int(self.container()["restartCount"])

    def log(self, *options: str) -> str:
        return self.namespace.kubectl("logs", self.name, f"--container={CONTAINER}", *options)
