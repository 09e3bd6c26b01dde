"""Two releases in one namespace, whose names have a common prefix."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.cluster import Release, kubectl, merged, namespace, until
from tests.e2e.test_scaling import PROMETHEUS

REPLICAS = {"dctnet": 2, "dctnet-canary": 1}

DASHBOARDS = len(list((Release.chart / "files/dashboards").glob("*.json")))

PROXIED = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query="
"""Prometheus by the API server, since its address is one of the cluster."""


def value(query: str) -> float:
    """Return the value of a query, 0 without a result."""
    result = json.loads(kubectl("get", "--raw", PROXIED + quote(query)))["data"]["result"]
    return float(result[0]["value"][1]) if result else 0


@pytest.mark.needs("keda")
def test_releases_with_a_common_prefix_are_apart(demo):
    with namespace("dctnet-e2e") as own_namespace:
        releases = [
            Release(own_namespace, values_of(demo, replicas), name=name)
            for name, replicas in REPLICAS.items()
        ]
        for release in releases:
            release.install()
        for release in releases:
            assert "Succeeded" in release.test()
        for scaled in own_namespace.items("scaledobjects"):
            name = scaled["metadata"]["labels"]["app.kubernetes.io/instance"]
            (trigger,) = scaled["spec"]["triggers"]
            pods = trigger["metadata"]["query"].replace("sum(", "count(", 1)
            until(lambda pods=pods, name=name: value(pods) == REPLICAS[name], f"{name}: {pods}")
        dashboards = own_namespace.items("configmaps", "grafana_dashboard=1")
        uids = [json.loads(text)["uid"] for each in dashboards for text in each["data"].values()]
        assert len(set(uids)) == len(uids) == 3 * len(releases)
        production, canary = releases
        canary.uninstall()
        assert len(production.ready_pods()) == REPLICAS[production.name]
        assert "Succeeded" in production.test()


def values_of(demo: dict[str, Any], replicas: int) -> dict[str, Any]:
    scaling = {"enabled": True, "metric": "keda", "minReplicas": replicas, "maxReplicas": replicas}
    scaling["keda"] = {"serverAddress": PROMETHEUS}
    metrics = {"podAnnotations": True, "dashboards": {"enabled": True}}
    return merged(demo, {"autoscaling": scaling, "metrics": metrics})
