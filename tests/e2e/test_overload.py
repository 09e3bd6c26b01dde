"""Overload: at three times its capacity a replica rejects and stays ready."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.e2e import pods, prober
from tests.e2e.cluster import Namespace, Release, kubectl, merged

TIMES = 3
OVERLOAD_S = float(os.environ.get("E2E_OVERLOAD_S", "300"))
READYZ_P99_S = 1.0
"""A third of the probe timeout, in seconds."""


def failed_probes(namespace: Namespace, pod: str, node: str) -> int:
    """Count the failed probes of a pod in the kubelet's metrics."""
    metrics = kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/metrics/probes")
    lines = [
        line
        for line in metrics.splitlines()
        if line.startswith("prober_probe_total{")
        and f'namespace="{namespace.name}"' in line
        and f'pod="{pod}"' in line
        and 'probe_type="Startup"' not in line
    ]
    assert any('result="successful"' in line for line in lines), metrics
    return sum(int(line.split()[-1]) for line in lines if 'result="successful"' not in line)


@pytest.mark.promise("Load: probes answer while every slot is busy; a hang fails liveness only")
def test_overload_fails_no_probe_and_restarts_nothing(
    module_namespace, demo, image, proxy, loads, record_result
):
    release = Release(module_namespace, merged(demo, proxy.values()) | {"replicaCount": 1})
    release.install()
    service = loads(proxy.url(module_namespace))
    capacity = service.capacity().throughput
    (pod,) = release.pods()
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    failed, unhealthy = failed_probes(module_namespace, name, node), module_namespace.unhealthy()

    url = f"http://{pod['status']['podIP']}:9090/readyz"
    code = Path(prober.__file__).read_text()
    pods.start(module_namespace, image, "prober", code, url, str(OVERLOAD_S))
    report = service.send_at_rate(TIMES * capacity, OVERLOAD_S)
    probes = json.loads(pods.output(module_namespace, "prober"))
    p50, p99, most = np.percentile(probes["seconds"], [50, 99, 100]).tolist()

    record_result("overload", report)
    record_result(
        "readyz",
        {"count": len(probes["seconds"]), "p50_s": p50, "p99_s": p99, "max_s": most},
    )
    record_result(
        "load", {"seconds": OVERLOAD_S, "capacity": capacity, "goodput": report.throughput}
    )
    assert report.rejected > 0
    assert report.rejected_without_retry_after == 0
    assert report.failed == report.invalid == 0, report.table()
    assert probes["failures"] == []
    assert p99 < READYZ_P99_S
    assert module_namespace.unhealthy() == unhealthy
    assert failed_probes(module_namespace, name, node) == failed
    (after,) = release.pods()
    assert after["metadata"]["name"] == name
    assert release.restarts() == 0
