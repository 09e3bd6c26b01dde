"""Warnings of the notes: values that are valid but rarely meant, and the nearest without one."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.chart import APIS, DEMO, GATEWAY, INGRESS, merge_values, render

SCRAPED = {"metrics": {"podAnnotations": True}}
LOAD = merge_values(SCRAPED, {"autoscaling": {"metric": "load"}})
ONE_NODE = {"create": True, "accessModes": ["ReadWriteOnce"]}
ONE_NODE_JOB = {"model": {"source": "modelscope", "cache": ONE_NODE, "fetch": {"by": "job"}}}
KEDA = {"autoscaling": {"metric": "keda", "keda": {"serverAddress": "http://p:9090"}}}
CUSTOM_METRICS = "custom.metrics.k8s.io/v1beta2"


def memory(limit: str) -> dict[str, Any]:
    return {"resources": {"limits": {"memory": limit}}}


def monitored(monitor: str) -> dict[str, Any]:
    return {"metrics": {monitor: {"enabled": True}}}


# Values with a warning, a part of it, and the nearest values without.
CASES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "memory limit below the memory bound": (
        memory("4232Mi"),
        "resources.limits.memory is 4232Mi, but requests within the limits can take 4233Mi:",
        memory("4233Mi"),
    ),
    "fairness by address behind a load balancer": (
        {"fairness": {"by": "address"}, "service": {"type": "LoadBalancer"}},
        "fairness.by is address, but with service.type LoadBalancer replicas can see addresses of",
        {
            "fairness": {"by": "address"},
            "service": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
        },
    ),
    "user namespace on an old version of Kubernetes": (
        {"hostUsers": False},
        "hostUsers is false, but Kubernetes v1.32.0 ignores it unless its feature gate",
        {"hostUsers": True},
    ),
    "annotations and a ServiceMonitor": (
        merge_values(SCRAPED, monitored("serviceMonitor")),
        "metrics.podAnnotations and a monitor are both enabled:",
        monitored("serviceMonitor"),
    ),
    "annotations and a PodMonitor": (
        merge_values(SCRAPED, monitored("podMonitor")),
        "metrics.podAnnotations and a monitor are both enabled:",
        SCRAPED,
    ),
    "KEDA without scraping": (
        KEDA,
        "autoscaling.metric is keda, but the chart has nothing scrape the replicas",
        merge_values(KEDA, monitored("podMonitor")),
    ),
    "load without custom metrics": (
        LOAD,
        "autoscaling.metric is load, but the cluster serves no custom metrics",
        merge_values(LOAD, {"autoscaling": {"enabled": False}}),
    ),
    "ReadWriteOnce with a surge": (
        {"model": {"source": "modelscope", "cache": ONE_NODE}},
        "model.cache.accessModes is ReadWriteOnce: replicas on another node wait for the volume",
        {"model": {"source": "modelscope", "cache": ONE_NODE}, "strategy": {"type": "Recreate"}},
    ),
    "Job with ReadWriteOnce": (
        merge_values(ONE_NODE_JOB, {"strategy": {"type": "Recreate"}}),
        "model.cache.accessModes is ReadWriteOnce: on different nodes, the Job that fetches the",
        merge_values(ONE_NODE_JOB, {"model": {"cache": {"accessModes": ["ReadWriteMany"]}}}),
    ),
    "HTTPRoute without a timeout": (
        merge_values(GATEWAY, {"gateway": {"timeouts": False}}),
        "gateway.timeouts is false: set the timeout of the Gateway itself to 70 s or more",
        GATEWAY,
    ),
    "objectives measured by an Ingress without hosts": (
        merge_values(INGRESS, {"slo": {"source": "ingress-nginx"}}),
        "slo.source is ingress-nginx, but expose.hosts is empty: ingress-nginx exports no metrics",
        merge_values(
            INGRESS, {"slo": {"source": "ingress-nginx"}, "expose": {"hosts": ["a.example.org"]}}
        ),
    ),
}


def warnings(
    values: dict[str, Any], apis: Sequence[str] = APIS, kubernetes: str = "1.32.0"
) -> list[str]:
    """Return the warnings, which only `helm install` prints, by an object that contains them."""
    printed = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "warnings"},
        "data": {"text": '{{ include "dctnet.warnings" . }}'},
    }
    values = merge_values(DEMO, values, {"extraObjects": [printed]})
    objects = render(values, apis=apis, kubernetes=kubernetes)
    return [
        each
        for each in objects.one("ConfigMap", "warnings")["data"]["text"].split("- ")
        if each.strip()
    ]


@pytest.mark.parametrize("case", CASES)
def test_warning(case):
    values, part, nearest = CASES[case]
    (warning,) = warnings(values)
    assert warning.startswith(part)
    assert warning.strip().endswith(".")
    assert warnings(nearest) == []


def test_user_namespaces_need_no_warning_on_a_newer_version():
    assert warnings({"hostUsers": False}, kubernetes="1.33.0") == []


def test_custom_metrics_need_no_warning():
    assert warnings(LOAD, [*APIS, CUSTOM_METRICS]) == []
