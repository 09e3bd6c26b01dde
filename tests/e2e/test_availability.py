"""Availability: the share of good responses while the release is disrupted."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from loadtest.arrivals import OpenLoop, Step
from loadtest.gates import default_gates
from loadtest.html_report import render
from loadtest.report import Sample
from tests.e2e.cluster import Release, drained, merged, until
from tests.e2e.pod_watch import numbers_of_replicas

REPLICAS = 2

LOAD = 0.3
"""CPUs that the normal load takes, of all replicas together."""

STEP = 4
"""Factor of the normal load in the load step."""

PARTS = 8
"""The disruptions start a part of the duration after one another, the first after one part."""

SCALING = {
    "enabled": True,
    "minReplicas": REPLICAS,
    "maxReplicas": 4,
    # Between normal load and load step, because the replicas of a test cluster share its CPUs.
    "targetCPUUtilizationPercentage": 20,
}

OBJECTIVE = 0.999


@pytest.mark.needs("availability")
@pytest.mark.needs("metrics")
@pytest.mark.needs("nodes")
def test_availability_under_disruptions(module_namespace, demo, proxy, loads, record_result):
    duration_s = float(os.environ["E2E_AVAILABILITY_S"])
    values = merged(merged(demo, proxy.values()), {"autoscaling": SCALING})
    release = Release(module_namespace, values)
    release.install()
    until(lambda: len(release.ready_pods()) == REPLICAS, "the replicas are not ready")
    service = loads(proxy.url(module_namespace))
    load = OpenLoop(
        rate=LOAD / service.seconds_alone(),
        duration_s=duration_s,
        poisson=True,
        steps=[Step(weight=5, factor=1), Step(weight=1, factor=STEP), Step(weight=2, factor=1)],
    )
    disruptions = {
        "rollout": lambda: release.upgrade({"podAnnotations": {"turn": "2"}}),
        "pod deleted without grace period": lambda: delete_pod(release),
        "node drained": lambda: drain_node(release),
        "another pod deleted": lambda: delete_pod(release),
        f"{STEP} times the load": lambda: None,
        "load back to normal": lambda: None,
    }
    length_s = duration_s / PARTS
    with numbers_of_replicas(module_namespace) as replicas, ThreadPoolExecutor(1) as pool:
        started = time.monotonic()
        pending = pool.submit(service.measure, load)
        for part, disrupt in enumerate(disruptions.values(), 1):
            wait([pending], started + part * length_s - time.monotonic())
            assert not pending.done(), pending.exception()
            disrupt()
            until(lambda: len(release.ready_pods()) >= REPLICAS, "the replicas are not ready")
        measurement = pending.result()
    names = ["undisturbed", *disruptions]
    for part, name in enumerate(names):
        is_last = part == len(names) - 1
        end_s = float("inf") if is_last else (part + 1) * length_s
        samples = [each for each in measurement.samples if part * length_s <= each.due_s < end_s]
        record_result(name, counts(samples))
    changes = {"replicas": f"{min(replicas)} to {max(replicas)}"}
    record_result("all", counts(measurement.samples) | changes)
    report = measurement.report
    if folder := os.environ.get("E2E_RESULTS"):
        page = render(measurement, [], default_gates(), [("duration", f"{duration_s:g} s")], None)
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "availability.html").write_text(page)
    assert min(replicas) == REPLICAS < max(replicas)
    accepted = report.sent - report.rejected
    assert report.ok >= OBJECTIVE * accepted > 0, report.table()


def delete_pod(release: Release) -> None:
    pod = release.ready_pods()[0]
    release.namespace.kubectl("delete", "pod", pod, "--grace-period=0", "--force")


def drain_node(release: Release) -> None:
    node = release.pods()[0]["spec"]["nodeName"]
    with drained(node, release):
        until(lambda: len(release.ready_pods()) >= REPLICAS, "the replicas are not ready elsewhere")


def counts(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return numbers of requests, and the slowest good response."""
    outcomes = [each.outcome for each in samples]
    good = [each.latency_s for each in samples if each.outcome == "ok"]
    return {
        "sent": len(samples),
        "ok": len(good),
        "rejected": outcomes.count("rejected"),
        "failed": outcomes.count("failed") + outcomes.count("invalid"),
        "max_s": max(good, default=float("nan")),
    }
