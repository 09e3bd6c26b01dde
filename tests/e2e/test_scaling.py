"""Autoscaling by CPU, and by the load ratio with KEDA."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.cluster import Namespace, Release, merged, namespace, until
from tests.e2e.ingress_or_gateway import IngressOrGateway
from tests.e2e.load import STEADY, LoadGenerator, require_no_lost_requests
from tests.e2e.pod_watch import numbers_of_replicas

FEWEST, MOST = 1, 3

TIMES = 1.5
"""Load relative to the capacity of one replica."""

SCALING_S = 180
"""Timeout of scaling up, and of scaling down, in seconds."""

PROMETHEUS = os.environ.get("E2E_PROMETHEUS", "http://prometheus.monitoring:9090")

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
    scaling = {
        "enabled": True,
        "minReplicas": FEWEST,
        "maxReplicas": MOST,
        "behavior": FAST_SCALE_DOWN,
        "metric": "keda",
        "keda": {"serverAddress": PROMETHEUS, "pollingInterval": 5},
    }
    changes = {"autoscaling": scaling, "metrics": {"podAnnotations": True}}
    with namespace("dctnet-e2e") as own_namespace:
        values = merged(merged(demo, proxy.values()), changes)
        record_result(
            "keda", require_scale_up_and_down(Release(own_namespace, values), proxy, loads)
        )


def scaler(namespace: Namespace) -> str:
    """Return the metric of the only HorizontalPodAutoscaler, or nothing unless one works."""
    autoscalers = namespace.items("horizontalpodautoscalers")
    if len(autoscalers) != 1:
        return ""
    conditions = autoscalers[0]["status"].get("conditions", [])
    works = {each["type"] for each in conditions if each["status"] == "True"}
    (metric,) = autoscalers[0]["spec"]["metrics"]
    return str(metric["type"]) if {"AbleToScale", "ScalingActive"} <= works else ""


@pytest.mark.promise("Cluster: replicas follow the load")
@pytest.mark.needs("metrics")
@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param(["cpu"], id="cpu"),
        pytest.param(["cpu", "keda", "cpu"], id="keda", marks=pytest.mark.needs("keda")),
    ],
)
def test_changed_autoscaling_never_has_fewer_replicas(metrics, demo, proxy, loads, record_result):
    """From a fixed number to each metric, each by an upgrade under load."""
    scaling = {"minReplicas": 2, "maxReplicas": 3, "keda": {"serverAddress": PROMETHEUS}}
    changes = {"autoscaling": scaling, "metrics": {"podAnnotations": True}, "replicaCount": 3}
    with namespace("dctnet-e2e") as own_namespace:
        release = Release(own_namespace, merged(merged(demo, proxy.values()), changes))
        release.install()
        service = loads(proxy.url(own_namespace))
        rate = STEADY * service.capacity().throughput
        with numbers_of_replicas(own_namespace) as seen, service.steady(rate) as result:
            for metric in metrics:
                release.upgrade({"autoscaling": {"enabled": True, "metric": metric}})
                kind = "External" if metric == "keda" else "ContainerResource"
                until(lambda kind=kind: scaler(own_namespace) == kind, f"{metric} does not scale")
        assert len(release.ready_pods()) >= 2
    assert seen[0] == 3
    assert min(seen) >= 2
    record_result(metrics[-1], result.result())
    require_no_lost_requests(result.result(), own_namespace)
