"""Pods and replicas over time, more precise than Kubernetes' whole seconds."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.cluster import Namespace, find_tool, until

_COLUMNS = "{.object.metadata.name} {.object.status.conditions[?(@.type=='Ready')].status}{'\\n'}"


@dataclass
class PodTimes:
    """Times by pod name, in seconds of the monotonic clock."""

    created: dict[str, float] = field(default_factory=dict)
    ready: dict[str, float] = field(default_factory=dict)

    def seconds(self) -> list[float]:
        """Return the seconds from creation to readiness of each pod."""
        return [at - self.created[name] for name, at in self.ready.items()]


@contextmanager
def watch_pods(namespace: Namespace, selector: str) -> Iterator[PodTimes]:
    """Record the times of pods created within the block."""
    before = {pod["metadata"]["name"] for pod in namespace.items("pods", selector)}
    seen = PodTimes()
    process = subprocess.Popen(
        [
            find_tool("kubectl"), "--namespace", namespace.name, "get", "pods",
            "--selector", selector,
            "--watch", "--output-watch-events", f"--output=jsonpath={_COLUMNS}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            name, _, status = line.strip().partition(" ")
            if name not in before:
                now = time.monotonic()
                seen.created.setdefault(name, now)
                if status == "True":
                    seen.ready.setdefault(name, now)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        process.terminate()
        process.wait()
        reader.join()


@contextmanager
def numbers_of_replicas(namespace: Namespace) -> Iterator[list[int]]:
    """Collect every number of replicas that the Deployment has within the block."""
    seen: list[int] = []
    watches: list[subprocess.Popen[str]] = []
    ended = threading.Event()
    command = [find_tool("kubectl"), "--namespace", namespace.name, "get", "deployment", "dctnet"]
    command += ["--watch", "--output=jsonpath={.spec.replicas}{'\\n'}"]

    def read() -> None:
        while not ended.is_set():  # The API server ends a watch after half an hour or more.
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
                watches.append(watch)
                if ended.is_set():
                    watch.terminate()
                assert watch.stdout is not None
                seen.extend(map(int, watch.stdout))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        until(lambda: seen, "the Deployment is not there")
        yield seen
    finally:
        ended.set()
        watches[-1].terminate()
        reader.join()
