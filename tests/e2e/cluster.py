"""Kubernetes cluster access: kubectl and helm on the current context."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.support import polling
from tests.support.repo import ROOT

RUN = "dctnet-e2e"
"""Pod label with the namespace: `kubectl drain` selects pods of all namespaces."""

BOUND_S = 180
"""Timeout of one change of the cluster, in seconds."""


class CommandError(AssertionError):
    """A failed command, with its output."""


def find_tool(name: str) -> str:
    """Find a program on the PATH or in `.tools/bin`."""
    path = os.pathsep.join([os.environ["PATH"], str(ROOT / ".tools" / "bin")])
    found = shutil.which(name, path=path)
    if found is None:
        raise CommandError(
            f"{name} is neither on the PATH nor in .tools/bin; `make tools` gets helm."
        )
    return found


def command(*args: str | Path, stdin: str | None = None, bound_s: float = BOUND_S) -> str:
    """Run a program and return its stdout; raise CommandError if it fails."""
    completed = subprocess.run(
        [find_tool(str(args[0])), *map(str, args[1:])],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=bound_s + 30,  # The timeouts of kubectl and helm give better messages.
        check=False,
    )
    if completed.returncode:
        output = (completed.stderr + completed.stdout).strip()
        raise CommandError(f"{' '.join(map(str, args))}: {output}")
    return completed.stdout


def kubectl(*args: str | Path, stdin: str | None = None, bound_s: float = BOUND_S) -> str:
    return command("kubectl", *args, stdin=stdin, bound_s=bound_s)


until = partial(polling.until, bound_s=BOUND_S)
"""`polling.until` with the cluster's timeout."""


class Namespace:
    """A namespace that enforces the Pod Security Standard `restricted`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def kubectl(self, *args: str | Path, stdin: str | None = None) -> str:
        return kubectl("--namespace", self.name, *args, stdin=stdin)

    def items(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        output = self.kubectl("get", kind, "--selector", selector, "--output=json")
        items: list[dict[str, Any]] = json.loads(output)["items"]
        return items

    def objects(self) -> set[str]:
        """Return the names of all objects except events."""
        kinds = kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
        kept = ",".join(kind for kind in kinds if not kind.startswith("events"))
        return set(self.kubectl("get", kept, "--output=name", "--ignore-not-found").split())

    def unhealthy(self) -> list[str]:
        """Return the kubelet's events of failed probes, with their counts."""
        return [
            f"{event['involvedObject']['name']}: {event['message']} ({event.get('count') or 1})"
            for event in self.items("events")
            if event["reason"] == "Unhealthy"
        ]


@contextmanager
def namespace(prefix: str) -> Iterator[Namespace]:
    """Create a namespace, and delete it with all its objects."""
    name = f"{prefix}-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    try:
        kubectl(
            "label", "namespace", name,
            "pod-security.kubernetes.io/enforce=restricted",
            "pod-security.kubernetes.io/enforce-version=latest",
        )  # fmt: skip
        yield Namespace(name)
    finally:
        # A graceful shutdown of replicas would delay the deletion by a minute.
        kubectl("--namespace", name, "delete", "deployments", "--all")
        kubectl("--namespace", name, "delete", "pods", "--all", "--grace-period=1")
        kubectl("delete", "namespace", name, f"--timeout={BOUND_S}s")


class Release:
    """A Helm release of the chart in a namespace."""

    chart = ROOT / "helm" / "dctnet"

    def __init__(
        self,
        namespace: Namespace,
        values: Mapping[str, Any],
        profile: Path | None = None,
        name: str = "dctnet",
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.selector = f"app.kubernetes.io/name=dctnet,app.kubernetes.io/instance={self.name}"
        self._profile = ["--values", profile] if profile else []
        self._values = merged(values, {"podLabels": {RUN: namespace.name}})

    def install(self, bound_s: float = BOUND_S) -> float:
        """Install and wait until ready; return the duration in seconds."""
        return self._apply(["install"], {}, bound_s)

    def upgrade(self, changes: Mapping[str, Any], bound_s: float = BOUND_S) -> float:
        """Upgrade with changed values, for this upgrade only, and wait; return seconds."""
        return self._apply(["upgrade"], changes, bound_s)

    def rollback(self) -> float:
        started = time.monotonic()
        self.helm("rollback", self.name, "--wait", f"--timeout={BOUND_S}s")
        return time.monotonic() - started

    def test(self) -> str:
        return self.helm("test", self.name, f"--timeout={BOUND_S}s")

    def uninstall(self) -> None:
        self.helm("uninstall", self.name, "--wait", f"--timeout={BOUND_S}s")

    def pods(self) -> list[dict[str, Any]]:
        """Return the replicas that are not terminating, oldest first."""
        pods = self.namespace.items("pods", f"{self.selector},app.kubernetes.io/component=replica")
        staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return sorted(staying, key=lambda pod: pod["metadata"]["creationTimestamp"])

    def ready_pods(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods() if is_ready(pod)]

    def restarts(self) -> int:
        return sum(
            container["restartCount"]
            for pod in self.pods()
            for container in pod["status"].get("containerStatuses", [])
        )

    def helm(self, *args: str | Path, bound_s: float = BOUND_S) -> str:
        return command("helm", "--namespace", self.namespace.name, *args, bound_s=bound_s)

    def _apply(self, verb: Sequence[str], changes: Mapping[str, Any], bound_s: float) -> float:
        started = time.monotonic()
        command(
            "helm", "--namespace", self.namespace.name, *verb, self.name, self.chart,
            *self._profile, "--values=-", "--wait", f"--timeout={bound_s:g}s",
            stdin=json.dumps(merged(self._values, changes)),
            bound_s=bound_s,
        )  # fmt: skip
        return time.monotonic() - started


@contextmanager
def drained(node: str, release: Release) -> Iterator[None]:
    """Drain a node of a release's pods, and uncordon it after the block."""
    try:
        kubectl(
            "drain", node, f"--pod-selector={RUN}={release.namespace.name}",
            "--delete-emptydir-data", "--ignore-daemonsets", f"--timeout={BOUND_S}s",
        )  # fmt: skip
        yield
    finally:
        kubectl("uncordon", node)


def is_ready(pod: Mapping[str, Any]) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod["status"].get("conditions", [])
    )


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge values as Helm does: maps by key, lists as a whole."""
    both = dict(values)
    for key, value in changes.items():
        below = both.get(key)
        mapped = isinstance(value, Mapping) and isinstance(below, Mapping)
        both[key] = merged(below, value) if mapped else value
    return both
