"""How many replicas there are, who changes that, and how many may be away."""

from typing import Any

import pytest

from tests.support.chart import merged, render

PROMETHEUS = "http://prometheus.monitoring:9090"
SCALERS = {
    "fixed": {"autoscaling": {"enabled": False}},
    "cpu": {"autoscaling": {"metric": "cpu"}},
    "keda": {
        "autoscaling": {"metric": "keda", "keda": {"serverAddress": PROMETHEUS}},
        "metrics": {"podAnnotations": True},
    },
}


def values(scaler: str, least: int, budget: dict[str, Any]) -> dict[str, Any]:
    number = (
        {"replicaCount": least, "autoscaling": {"minReplicas": 9, "maxReplicas": 9}}
        if scaler == "fixed"
        else {"autoscaling": {"minReplicas": least, "maxReplicas": 9}, "replicaCount": 9}
    )
    return merged(SCALERS[scaler], number, {"podDisruptionBudget": budget})


# What the budget is, by who scales, the fewest replicas, and what the values say.
ON: dict[str, Any] = {}
OFF = {"enabled": False}
ONE_STAYS = {"minAvailable": 1}
HALF_STAYS = {"minAvailable": "50%"}
THIRD_AWAY = {"maxUnavailable": "34%"}
BUDGETS = [
    (0, ON, None),
    (1, ON, None),
    (1, THIRD_AWAY, None),
    (2, ON, {"maxUnavailable": 1}),
    (2, OFF, None),
    (2, ONE_STAYS, {"minAvailable": 1}),
    (2, HALF_STAYS, {"minAvailable": "50%"}),
    (5, ON, {"maxUnavailable": 1}),
    (5, OFF, None),
    (5, ONE_STAYS, {"minAvailable": 1}),
    (5, THIRD_AWAY, {"maxUnavailable": "34%"}),
]


# An autoscaler keeps at least one.
TABLE = [(scaler, *row) for scaler in SCALERS for row in BUDGETS if row[0] or scaler == "fixed"]


@pytest.mark.promise("Cluster: no request is lost when a node is drained")
@pytest.mark.parametrize(("scaler", "least", "budget", "expected"), TABLE)
def test_a_budget_is_made_for_more_than_one_replica(scaler, least, budget, expected):
    made = render(values(scaler, least, budget))
    budgets = [each["spec"] for each in made.all("PodDisruptionBudget")]
    if expected is None:
        assert budgets == []
        return
    selector = made.deployment["spec"]["selector"]
    assert budgets == [
        {**expected, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": selector}
    ]


@pytest.mark.parametrize(
    ("scaler", "replicas", "kinds"),
    [
        ("fixed", 5, set()),
        ("cpu", None, {"HorizontalPodAutoscaler"}),
        ("keda", None, {"ScaledObject"}),
    ],
)
def test_one_alone_sets_the_number_of_replicas(scaler, replicas, kinds):
    made = render(values(scaler, 5, ON))
    assert made.deployment["spec"].get("replicas") == replicas
    assert made.kinds & {"HorizontalPodAutoscaler", "ScaledObject"} == kinds


def test_the_autoscaler_looks_at_the_replicas_own_cpu():
    made = render({"autoscaling": {"targetCPUUtilizationPercentage": 90}})
    spec = made.one("HorizontalPodAutoscaler")["spec"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "dctnet"}
    assert spec["scaleTargetRef"] == target
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 6)
    (metric,) = spec["metrics"]
    assert metric["containerResource"] == {
        "name": "cpu",
        "container": "dctnet",
        "target": {"type": "Utilization", "averageUtilization": 90},
    }


def test_the_autoscaler_may_look_at_the_load():
    apis = ("custom.metrics.k8s.io/v1beta2",)
    scaled = {"autoscaling": {"metric": "load", "targetLoadRatio": 2.5}}
    made = render(merged(scaled, {"metrics": {"podAnnotations": True}}), apis=apis)
    (metric,) = made.one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == "dctnet_load_ratio"
    assert metric["pods"]["target"] == {"type": "AverageValue", "averageValue": "2.5"}


def test_keda_asks_prometheus_for_the_load_of_this_release():
    spec = render(values("keda", 2, {}), release="cartoons").one("ScaledObject")["spec"]
    assert spec["scaleTargetRef"] == {"name": "cartoons-dctnet"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 9)
    (trigger,) = spec["triggers"]
    assert trigger["metadata"] == {
        "serverAddress": PROMETHEUS,
        "query": 'sum(dctnet_load_ratio{namespace="images",pod=~"cartoons-dctnet-.+"})',
        "threshold": "1.5",
    }
    asked = merged(values("keda", 2, {}), {"autoscaling": {"keda": {"query": "sum(up)"}}})
    (trigger,) = render(asked).one("ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["query"] == "sum(up)"


@pytest.mark.promise("Cluster: replicas follow the load")
def test_scaling_is_quick_up_and_slow_down_whoever_scales():
    by_cpu = render().one("HorizontalPodAutoscaler")["spec"]["behavior"]
    by_keda = render(values("keda", 2, {})).one("ScaledObject")["spec"]["advanced"]
    assert by_keda["horizontalPodAutoscalerConfig"]["behavior"] == by_cpu
    up, down = by_cpu["scaleUp"], by_cpu["scaleDown"]
    assert up["stabilizationWindowSeconds"] == 0
    assert down["stabilizationWindowSeconds"] == 300
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_a_rollout_takes_no_replica_away_before_its_successor_is_ready():
    strategy = render().deployment["spec"]["strategy"]
    one_more = {"maxUnavailable": 0, "maxSurge": 1}
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": one_more}
