"""Objects for Prometheus, its operator, and Grafana."""

import json
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, DEMO, Objects, merge_values, render, run_tool

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


def test_alerts_are_changed_by_values(tmp_path):
    changes = {
        "DctnetErrorRateHigh": {"threshold": 0.2, "for": "30m"},
        "DctnetCodecFailures": {"threshold": 100, "severity": "page"},
        "DctnetShippedStyles": {"enabled": False},
    }
    url = "https://wiki.example.org/dctnet/runbook"
    rendered = render_metrics(
        prometheusRule={
            "enabled": True,
            "runbookUrl": url,
            "alertLabels": {"team": "images", "severity": "none"},
            "alerts": changes,
        }
    ).one("PrometheusRule")["spec"]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rendered))
    assert run_tool("promtool", "check", "rules", "--lint-fatal", file).returncode == 0
    written = yaml.safe_load((CHART / "files/rules/dctnet.yaml").read_text())
    expected, actual = (
        {
            rule["alert"]: rule
            for group in each["groups"]
            for rule in group["rules"]
            if "alert" in rule
        }
        for each in (written, rendered)
    )
    del expected["DctnetShippedStyles"]
    for alert, rule in expected.items():
        rule["labels"]["team"] = "images"
        rule["annotations"]["runbook_url"] = f"{url}#{alert.lower()}"
        del rule["annotations"]["runbook"]
    errors, codecs = expected["DctnetErrorRateHigh"], expected["DctnetCodecFailures"]
    errors |= {"for": "30m", "expr": errors["expr"].replace("> 0.05", "> 0.2")}
    codecs["expr"] = codecs["expr"].replace("> 10", "> 100")
    codecs["labels"]["severity"] = "page"
    assert actual == expected


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
