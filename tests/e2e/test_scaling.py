"""Autoscaling by CPU, and by the load ratio with KEDA."""

import os
import time
from collections.abc import Callable
from itertools import groupby
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

SLOW_CPU = "100m"

STEP_TIMES = 3
"""Load step relative to the capacity of one replica."""

STEP_MOST = 5

AFTER_S = 20
"""Time of the same load after scale-up, in seconds."""

STABILIZATION_S = 15

REMOVAL_PERIOD_S = 50
"""Least seconds between two removed replicas: the policy's, minus the autoscaler's interval."""

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


@pytest.mark.promise("Cluster: replicas follow the load")
@pytest.mark.needs("faults")
@pytest.mark.needs("metrics")
@pytest.mark.parametrize("metric", ["cpu", pytest.param("keda", marks=pytest.mark.needs("keda"))])
def test_rejections_end_after_scale_up_and_scale_down_is_slow(
    metric, demo, proxy, loads, record_result
):
    """Replicas with little CPU reach their limits, although they share the CPUs of one machine.

    Scale-down has the chart's policy, but begins earlier than after five minutes.
    """
    changes = {
        "resources": {"requests": {"cpu": SLOW_CPU}, "limits": {"cpu": SLOW_CPU}},
        "model": {"styles": ["comic"]},
        "admission": {"queueSize": 4},
        "autoscaling": {
            "enabled": True,
            "minReplicas": FEWEST,
            "maxReplicas": STEP_MOST,
            "metric": metric,
            "keda": {"serverAddress": PROMETHEUS, "pollingInterval": 5},
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": STABILIZATION_S}},
        },
        "metrics": {"podAnnotations": True},
    }
    with namespace("dctnet-e2e") as own_namespace:
        release = Release(own_namespace, merged(merged(demo, proxy.values()), changes))
        release.install()
        (autoscaler,) = own_namespace.items("horizontalpodautoscalers")
        scale_down = autoscaler["spec"]["behavior"]["scaleDown"]
        assert scale_down["stabilizationWindowSeconds"] == STABILIZATION_S
        assert scale_down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
        service = loads(proxy.url(own_namespace))
        rate = STEP_TIMES * service.capacity().throughput
        until(lambda: len(release.pods()) == FEWEST, "the load's replicas are not removed")
        with numbers_of_replicas(own_namespace) as replicas:
            started = time.monotonic()
            with service.steady(rate) as step:
                until(
                    lambda: len(release.ready_pods()) == STEP_MOST,
                    lambda: f"{len(release.ready_pods())} replicas are ready",
                    bound_s=SCALING_S,
                )
            scaled_up_s = time.monotonic() - started
            with service.steady(rate) as after:
                time.sleep(AFTER_S)
            removed: list[float] = []
            for left in range(STEP_MOST - 1, STEP_MOST - 3, -1):
                until(
                    lambda left=left: len(release.pods()) == left,
                    f"the replicas were not {left}",
                    bound_s=SCALING_S,
                )
                removed.append(time.monotonic())
        steps = [number for number, _ in groupby(replicas)]
        record_result(f"load step, {metric}", step.result())
        record_result(f"after scale-up, {metric}", after.result())
        record_result(
            f"scaling, {metric}",
            {
                "replicas": steps,
                "scaled_up_s": scaled_up_s,
                "between_removals_s": removed[1] - removed[0],
            },
        )
        assert step.result().rejected > 0
        assert step.result().rejected_without_retry_after == 0
        assert step.result().failed == step.result().invalid == 0, step.result().table()
        require_no_lost_requests(after.result(), own_namespace)
        assert (steps[0], steps[-3:]) == (FEWEST, [STEP_MOST, STEP_MOST - 1, STEP_MOST - 2])
        assert removed[1] - removed[0] > REMOVAL_PERIOD_S


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
