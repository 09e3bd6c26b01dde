"""Autoscaling by CPU, and by the load ratio with KEDA."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.cluster import Release, merged, namespace, until
from tests.e2e.ingress_or_gateway import IngressOrGateway
from tests.e2e.load import LoadGenerator

FEWEST, MOST = 1, 3

TIMES = 1.5
"""Load relative to the capacity of one replica."""

SCALING_S = 180
"""Timeout of scaling up, and of scaling down, in seconds."""

FAST_SCALE_DOWN = {
    "scaleDown": {
        "stabilizationWindowSeconds": 10,
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 15}],
    }
}
"""Scale-down without the default stabilization of five minutes."""


def require_scale_up_and_down(
    release: Release, proxy: IngressOrGateway, loads: Callable[[str], LoadGenerator]
) -> dict[str, Any]:
    """Fail unless overload adds replicas and its end removes them."""
    release.install()
    service = loads(proxy.url(release.namespace))
    with service.steady(TIMES * service.capacity().throughput) as result:
        until(
            lambda: len(release.ready_pods()) > FEWEST,
            "overload adds no replica",
            bound_s=SCALING_S,
        )
        most = len(release.ready_pods())
    until(
        lambda: len(release.pods()) == FEWEST,
        "replicas are not removed without load",
        bound_s=SCALING_S,
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
def test_cpu_scales_up_and_down(demo, proxy, loads, record_result):
    scaling = {
        "enabled": True,
        "minReplicas": FEWEST,
        "maxReplicas": MOST,
        "behavior": FAST_SCALE_DOWN,
        # Replicas share the CPUs of one machine, so that several do not reach their limits.
        "targetCPUUtilizationPercentage": 24,
    }
    with namespace("dctnet-e2e") as own_namespace:
        values = merged(merged(demo, proxy.values()), {"autoscaling": scaling})
        record_result(
            "cpu", require_scale_up_and_down(Release(own_namespace, values), proxy, loads)
        )


@pytest.mark.promise("Cluster: replicas follow the load")
@pytest.mark.needs("keda")
def test_keda_scales_up_and_down_by_load_ratio(demo, proxy, loads, record_result):
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
