"""Objects for Prometheus, its operator, and Grafana."""

import json
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, DEMO, Objects, merge_values, render

MONITORS = {
    "serviceMonitor": ("ServiceMonitor", "endpoints"),
    "podMonitor": ("PodMonitor", "podMetricsEndpoints"),
}


def render_metrics(**metrics: Any) -> Objects:
    return render(merge_values(DEMO, {"metrics": metrics}))


def prometheus_annotations(objects: Objects) -> dict[str, str]:
    annotations = objects.pod["metadata"]["annotations"]
    return {key: value for key, value in annotations.items() if "prometheus" in key}


def test_no_prometheus_operator_objects_by_default():
    default = render(DEMO)
    assert not default.kinds & {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    assert prometheus_annotations(default) == {}


def test_scrape_annotations():
    assert prometheus_annotations(render_metrics(podAnnotations=True)) == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "prometheus.io/path": "/metrics",
    }


@pytest.mark.parametrize("monitor", MONITORS)
def test_monitors_scrape_the_management_port(monitor):
    kind, endpoints = MONITORS[monitor]
    metrics = {
        "enabled": True,
        "interval": "30s",
        "scrapeTimeout": "10s",
        "labels": {"release": "prometheus"},
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "drop", "regex": "python_.*"}],
    }
    objects = render_metrics(**{monitor: metrics}).one(kind)
    assert objects["metadata"]["labels"]["release"] == "prometheus"
    assert objects["spec"][endpoints] == [
        {
            "port": "management",
            "path": "/metrics",
            **{key: metrics[key] for key in metrics if key not in {"enabled", "labels"}},
        }
    ]


def test_prometheus_rule_equals_the_rules_file():
    rule = render_metrics(prometheusRule={"enabled": True, "labels": {"a": "b"}}).one(
        "PrometheusRule"
    )
    assert rule["metadata"]["labels"]["a"] == "b"
    assert rule["spec"] == yaml.safe_load((CHART / "files/rules/dctnet.yaml").read_text())
    assert rule["spec"]["groups"]


def test_dashboards_are_configmaps_with_the_sidecar_label():
    metrics = {
        "enabled": True,
        "namespace": "grafana",
        "label": "dashboards.example/load",
        "labelValue": "yes",
        "annotations": {"folder": "Cartoons"},
    }
    files = {file.name: file.read_text() for file in CHART.glob("files/dashboards/*.json")}
    assert files
    objects = [
        each
        for each in render_metrics(dashboards=metrics).all("ConfigMap")
        if "dashboard" in str(each)
    ]
    carried = {name: text for each in objects for name, text in each["data"].items()}
    assert {name: json.loads(text) for name, text in carried.items()} == {
        name: json.loads(text) for name, text in files.items()
    }
    for each in objects:
        assert each["metadata"]["namespace"] == "grafana"
        assert each["metadata"]["labels"]["dashboards.example/load"] == "yes"
        assert each["metadata"]["annotations"]["folder"] == "Cartoons"


def test_dashboards_default_to_the_release_namespace():
    objects = render_metrics(dashboards={"enabled": True}).one("ConfigMap", "dctnet-dashboard")
    assert objects["metadata"]["namespace"] == "images"
    assert objects["metadata"]["labels"]["grafana_dashboard"] == "1"
