"""Replicas: autoscaling, PodDisruptionBudget, and rolling updates."""

import json
from typing import Any

import pytest
import yaml

from tests.support.chart import PROFILES, Objects, merge_values, render, run_tool
from tests.support.kubernetes import parse_quantity
from tests.support.repo import ROOT

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
    return merge_values(SCALERS[scaler], number, {"podDisruptionBudget": budget})


# Minimum number of replicas, values of the budget, and the expected budget.
ON: dict[str, Any] = {}
OFF = {"enabled": False}
ONE_STAYS = {"minAvailable": 1}
HALF_STAYS = {"minAvailable": "50%"}
THIRD_AWAY = {"maxUnavailable": "34%"}
BUDGETS = [
    (0, ON, None),
    (1, ON, {"maxUnavailable": 1}),
    (1, THIRD_AWAY, {"maxUnavailable": "34%"}),
    (2, ON, {"maxUnavailable": 1}),
    (2, OFF, None),
    (2, ONE_STAYS, {"minAvailable": 1}),
    (2, HALF_STAYS, {"minAvailable": "50%"}),
    (5, ON, {"maxUnavailable": 1}),
    (5, OFF, None),
    (5, ONE_STAYS, {"minAvailable": 1}),
    (5, THIRD_AWAY, {"maxUnavailable": "34%"}),
]


# Autoscalers keep at least one replica.
TABLE = [(scaler, *row) for scaler in SCALERS for row in BUDGETS if row[0] or scaler == "fixed"]


@pytest.mark.promise("Cluster: no request is lost when a node is drained")
@pytest.mark.parametrize(("scaler", "least", "budget", "expected"), TABLE)
def test_pod_disruption_budget_needs_a_second_replica(scaler, least, budget, expected):
    objects = render(values(scaler, least, budget))
    if (scaler, least) == ("fixed", 1):
        expected = None
    budgets = [each["spec"] for each in objects.all("PodDisruptionBudget")]
    if expected is None:
        assert budgets == []
        return
    selector = objects.deployment["spec"]["selector"]
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
def test_replicas_are_set_by_one_scaler_only(scaler, replicas, kinds):
    objects = render(values(scaler, 5, ON))
    assert objects.deployment["spec"].get("replicas") == replicas
    assert objects.kinds & {"HorizontalPodAutoscaler", "ScaledObject"} == kinds


def test_hpa_scales_by_cpu_of_the_service_container():
    objects = render({"autoscaling": {"targetCPUUtilizationPercentage": 80}})
    spec = objects.one("HorizontalPodAutoscaler")["spec"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "dctnet"}
    assert spec["scaleTargetRef"] == target
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 6)
    (metric,) = spec["metrics"]
    assert metric["containerResource"] == {
        "name": "cpu",
        "container": "dctnet",
        "target": {"type": "Utilization", "averageUtilization": 160},
    }


REMOVED = "removed"


def cpu_target(objects: Objects) -> int:
    (metric,) = objects.one("HorizontalPodAutoscaler")["spec"]["metrics"]
    return metric["containerResource"]["target"]["averageUtilization"]


@pytest.mark.parametrize(
    ("request_", "limit", "share", "target"),
    [
        (None, None, None, 120),
        ("2", "2", None, 60),
        (None, "1", None, 60),
        ("250m", "1", None, 240),
        (None, "500m", None, 60),
        (None, "8", None, 480),
        ("8", 8, 90, 90),
        (1, "3.5", None, 210),
        ("300m", "1", 10, 33),
        ("1", "1", 1, 1),
        # A share of the request without a limit. Without a request Kubernetes takes the limit.
        ("500m", REMOVED, None, 60),
        ("3", REMOVED, 90, 90),
        (None, REMOVED, None, 60),
        (REMOVED, "3", None, 60),
    ],
)
def test_cpu_target_is_a_share_of_the_limit(request_, limit, share, target):
    resources = {"requests": {"cpu": request_}, "limits": {"cpu": limit}}
    given = {
        kind: {"cpu": None if each["cpu"] == REMOVED else each["cpu"]}
        for kind, each in resources.items()
        if each["cpu"] is not None
    }
    scaled = {} if share is None else {"targetCPUUtilizationPercentage": share}
    assert cpu_target(render({"resources": given, "autoscaling": scaled})) == target


@pytest.mark.parametrize("profile", PROFILES)
def test_cpu_target_of_a_profile_is_60_percent_of_its_limit(profile):
    scaled = {"autoscaling": {"enabled": True, "metric": "cpu"}}
    objects = render(scaled, profile=profile)
    resources = objects.container["resources"]
    request, limit = (parse_quantity(resources[each]["cpu"]) for each in ("requests", "limits"))
    assert cpu_target(objects) == 60 * limit // request


def test_hpa_scales_by_load():
    apis = ("custom.metrics.k8s.io/v1beta2",)
    scaled = {"autoscaling": {"metric": "load", "targetLoadRatio": 2.5}}
    objects = render(merge_values(scaled, {"metrics": {"podAnnotations": True}}), apis=apis)
    (metric,) = objects.one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == "dctnet_load_ratio"
    assert metric["pods"]["target"] == {"type": "AverageValue", "averageValue": "2.5"}


def test_keda_queries_the_load_of_this_release():
    spec = render(values("keda", 2, {}), release="cartoons").one("ScaledObject")["spec"]
    assert spec["scaleTargetRef"] == {"name": "cartoons-dctnet"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 9)
    (trigger,) = spec["triggers"]
    assert trigger["metadata"] == {
        "serverAddress": PROMETHEUS,
        "query": 'sum(max by (pod) (dctnet_load_ratio{namespace="images",'
        'pod=~"cartoons-dctnet-[a-z0-9]{1,10}-[a-z0-9]{5}"}))',
        "threshold": "1.5",
    }
    asked = merge_values(values("keda", 2, {}), {"autoscaling": {"keda": {"query": "sum(up)"}}})
    (trigger,) = render(asked).one("ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["query"] == "sum(up)"


def pod_names(deployment: str) -> list[str]:
    """Names that Kubernetes gives pods: cut at 58 characters before 5 random ones."""
    hashes = ("5d8f", "6b9c7d8f4", "7c5ddbdf54")
    return [f"{deployment}-{each}-"[:58] + "x7k2q" for each in hashes]


# Full names with a common prefix, up to the longest.
NEIGHBORS = [
    ("cartoons", "cartoons-canary", "cartoons-2", "cartoons-5d8f", "cartoonsb"),
    *((name, f"{name[:50]}-b") for name in ("c" * length for length in (44, 46, 47, 50))),
    ("d" * 52, "d" * 51, f"{'d' * 50}-b", f"{'d' * 45}-bcdfgh", f"{'d' * 41}-5d8f-x7k2q"),
]


@pytest.mark.promise("Cluster: replicas follow the load")
def test_queries_of_autoscalers_count_each_pod_of_this_release_once(tmp_path):
    tests = []
    adapter = yaml.safe_load((ROOT / "k8s/controllers/prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    for names in NEIGHBORS:
        series, expected = [], []
        for load, name in enumerate(names, 1):
            objects = render(values("keda", 2, {"enabled": False}) | {"fullnameOverride": name})
            (trigger,) = objects.one("ScaledObject")["spec"]["triggers"]
            for pod in pod_names(name):
                # Scraped twice, and in another namespace.
                for labels in ('images",job="a', 'images",job="b', 'other",job="a'):
                    labelled = f'dctnet_load_ratio{{namespace="{labels}",pod="{pod}"}}'
                    series.append({"series": labelled, "values": f"{load}"})
            expected.append(
                {
                    "expr": trigger["metadata"]["query"],
                    "eval_time": "0s",
                    "exp_samples": [{"labels": "{}", "value": load * len(pod_names(name))}],
                }
            )
            # prometheus-adapter gets the names of the pods from the autoscaler.
            pod = pod_names(name)[0]
            query = rule["metricsQuery"].replace("<<.Series>>", rule["name"]["as"])
            query = query.replace("<<.LabelMatchers>>", f'namespace="images",pod=~"{pod}"')
            expected.append(
                {
                    "expr": query.replace("<<.GroupBy>>", "pod"),
                    "eval_time": "0s",
                    "exp_samples": [{"labels": f'{{pod="{pod}"}}', "value": load}],
                }
            )
        tests.append({"input_series": series, "promql_expr_test": expected})
    file = tmp_path / "keda.test.yaml"
    file.write_text(json.dumps({"rule_files": [], "tests": tests}))
    run = run_tool("promtool", "test", "rules", file)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.promise("Cluster: replicas follow the load")
def test_scaling_behavior_is_equal_for_hpa_and_keda():
    by_cpu = render().one("HorizontalPodAutoscaler")["spec"]["behavior"]
    by_keda = render(values("keda", 2, {})).one("ScaledObject")["spec"]["advanced"]
    assert by_keda["horizontalPodAutoscalerConfig"]["behavior"] == by_cpu
    removed = {"autoscaling": {"behavior": None}}
    for scaler in ("cpu", "keda"):
        for helm in ("helm", "helm3"):
            objects = render(merge_values(values(scaler, 2, {}), removed), helm=helm)
            assert "scaleUp" not in str(list(objects))
    up, down = by_cpu["scaleUp"], by_cpu["scaleDown"]
    assert up["stabilizationWindowSeconds"] == 0
    assert down["stabilizationWindowSeconds"] == 300
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({}, {"maxUnavailable": 0, "maxSurge": 1}),
        ({"rollingUpdate": {"maxSurge": "50%"}}, {"maxUnavailable": 0, "maxSurge": "50%"}),
        ({"rollingUpdate": {"maxUnavailable": None}}, {"maxSurge": 1}),
        ({"rollingUpdate": None}, None),
        ({"type": "Recreate"}, None),
    ],
)
def test_rollout_strategy(strategy, expected):
    """By default a replica surges before one is terminated."""
    rendered = render({"strategy": strategy}).deployment["spec"]["strategy"]
    rolling = {} if expected is None else {"rollingUpdate": expected}
    assert rendered == {"type": strategy.get("type", "RollingUpdate"), **rolling}
