"""Load brings replicas, and its end takes them away: by CPU, and by the service's own metric."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.cluster import Release, merged, namespace, until
from tests.e2e.ingress_or_gateway import IngressOrGateway
from tests.e2e.load import LoadGenerator

FEWEST, MOST = 1, 3

TIMES = 1.5
"""The load, as a multiple of what one replica can draw."""

SCALING_S = 180
"""How long the autoscaler may take to go up, and down; most look every 15 s, at metrics as old."""

FAST_SCALE_DOWN = {
    "scaleDown": {
        "stabilizationWindowSeconds": 10,
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 15}],
    }
}
"""Without the five quiet minutes that a service is left in peace for."""


def require_scale_up_and_down(
    release: Release, proxy: IngressOrGateway, loads: Callable[[str], LoadGenerator]
) -> dict[str, Any]:
    """Overload a replica until there are more, and wait until there are as few again."""
    release.install()
    service = loads(proxy.url(release.namespace))
    with service.steady(TIMES * service.capacity().throughput) as result:
        until(
            lambda: len(release.ready_pods()) > FEWEST,
            "more load brings no replica",
            bound_s=SCALING_S,
        )
        most = len(release.ready_pods())
    until(
        lambda: len(release.pods()) == FEWEST, "without load the replicas stay", bound_s=SCALING_S
    )
    report = result.result()
    assert report.failed == report.invalid == 0, report.table()
    return {
        "replicas": most,
        "sent": report.sent,
        "ok": report.ok,
        "rejected": report.rejected,
    }


@pytest.mark.promise("Cluster: replicas follow the load")
@pytest.mark.needs("metrics")
def test_cpu_brings_replicas_and_their_end(demo, proxy, loads, record_result):
    scaling = {
        "enabled": True,
        "minReplicas": FEWEST,
        "maxReplicas": MOST,
        "behavior": FAST_SCALE_DOWN,
    }
    with namespace("dctnet-e2e") as own_namespace:
        values = merged(merged(demo, proxy.values()), {"autoscaling": scaling})
        record_result(
            "cpu", require_scale_up_and_down(Release(own_namespace, values), proxy, loads)
        )


@pytest.mark.promise("Cluster: replicas follow the load")
@pytest.mark.needs("keda")
def test_the_load_ratio_brings_replicas_and_their_end_by_keda(demo, proxy, loads, record_result):
    prometheus = os.environ.get("E2E_PROMETHEUS", "http://prometheus.monitoring:9090")
    scaling = {
        "enabled": True,
        "minReplicas": FEWEST,
        "maxReplicas": MOST,
        "behavior": FAST_SCALE_DOWN,
        "metric": "keda",
        "keda": {"serverAddress": prometheus, "pollingInterval": 5},
    }
    changes = {"autoscaling": scaling, "metrics": {"podAnnotations": True}}
    with namespace("dctnet-e2e") as own_namespace:
        values = merged(merged(demo, proxy.values()), changes)
        record_result(
            "keda", require_scale_up_and_down(Release(own_namespace, values), proxy, loads)
        )
