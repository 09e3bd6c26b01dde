"""What Prometheus, its operator and Grafana find."""

import json
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, DEMO, Objects, merged, render

MONITORS = {
    "serviceMonitor": ("ServiceMonitor", "endpoints"),
    "podMonitor": ("PodMonitor", "podMetricsEndpoints"),
}


def made(**metrics: Any) -> Objects:
    return render(merged(DEMO, {"metrics": metrics}))


def prometheus_annotations(objects: Objects) -> dict[str, str]:
    annotations = objects.pod["metadata"]["annotations"]
    return {key: value for key, value in annotations.items() if "prometheus" in key}


def test_nothing_of_an_operator_is_made_by_default():
    default = render(DEMO)
    assert not default.kinds & {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    assert prometheus_annotations(default) == {}


def test_pods_may_be_annotated_for_a_prometheus_without_operator():
    assert prometheus_annotations(made(podAnnotations=True)) == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "prometheus.io/path": "/metrics",
    }


@pytest.mark.parametrize("monitor", MONITORS)
def test_a_monitor_scrapes_the_management_port(monitor):
    kind, endpoints = MONITORS[monitor]
    told = {
        "enabled": True,
        "interval": "30s",
        "scrapeTimeout": "10s",
        "labels": {"release": "prometheus"},
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "drop", "regex": "python_.*"}],
    }
    found = made(**{monitor: told}).one(kind)
    assert found["metadata"]["labels"]["release"] == "prometheus"
    assert found["spec"][endpoints] == [
        {
            "port": "management",
            "path": "/metrics",
            **{key: told[key] for key in told if key not in {"enabled", "labels"}},
        }
    ]


def test_the_rules_are_the_file_s_as_they_are():
    rule = made(prometheusRule={"enabled": True, "labels": {"a": "b"}}).one("PrometheusRule")
    assert rule["metadata"]["labels"]["a"] == "b"
    assert rule["spec"] == yaml.safe_load((CHART / "files/rules/dctnet.yaml").read_text())
    assert rule["spec"]["groups"]


def test_every_dashboard_is_a_configmap_that_the_sidecar_finds():
    told = {
        "enabled": True,
        "namespace": "grafana",
        "label": "dashboards.example/load",
        "labelValue": "yes",
        "annotations": {"folder": "Cartoons"},
    }
    files = {file.name: file.read_text() for file in CHART.glob("files/dashboards/*.json")}
    assert files
    found = [each for each in made(dashboards=told).all("ConfigMap") if "dashboard" in str(each)]
    carried = {name: text for each in found for name, text in each["data"].items()}
    assert {name: json.loads(text) for name, text in carried.items()} == {
        name: json.loads(text) for name, text in files.items()
    }
    for each in found:
        assert each["metadata"]["namespace"] == "grafana"
        assert each["metadata"]["labels"]["dashboards.example/load"] == "yes"
        assert each["metadata"]["annotations"]["folder"] == "Cartoons"


def test_a_dashboard_is_in_the_release_s_namespace_unless_told():
    found = made(dashboards={"enabled": True}).one("ConfigMap", "dctnet-dashboard")
    assert found["metadata"]["namespace"] == "images"
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
