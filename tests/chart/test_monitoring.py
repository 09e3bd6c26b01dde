"""Objects for Prometheus, its operator, and Grafana."""

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.support.chart import (
    CHART,
    DEMO,
    Object,
    Objects,
    merge_values,
    render,
    run_tool,
    tool,
)
from tests.support.repo import ROOT

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
    # The job is the release: this label of the Service, or of the pods.
    assert objects["spec"]["jobLabel"] == "app.kubernetes.io/instance"
    assert objects["spec"][endpoints] == [
        {
            "port": "management",
            "path": "/metrics",
            **{key: metrics[key] for key in metrics if key not in {"enabled", "labels"}},
        }
    ]


def test_prometheus_rule_has_the_rules_file_and_those_of_the_release():
    rule = render_metrics(prometheusRule={"enabled": True, "labels": {"a": "b"}}).one(
        "PrometheusRule"
    )
    assert rule["metadata"]["labels"]["a"] == "b"
    every = yaml.safe_load((CHART / "files/rules/dctnet.yaml").read_text())["groups"]
    *first, release, slo = rule["spec"]["groups"]
    assert first == every
    assert (release["name"], slo["name"]) == ("dctnet.release", "dctnet.slo")


def test_command_for_rules_without_the_operator(tmp_path):
    page = (ROOT / "docs/monitoring.md").read_text()
    (command,) = re.findall(r"^helm template .*?rules\.yaml$", page, re.MULTILINE | re.DOTALL)
    rules = tmp_path / "rules.yaml"
    command = command.replace("helm template", f"{tool('helm')} template", 1)
    subprocess.run(["sh", "-ec", command.replace("rules.yaml", str(rules))], cwd=ROOT, check=True)
    assert run_tool("promtool", "check", "rules", "--lint-fatal", rules).returncode == 0
    assert 'namespace="dctnet", pod=~"dctnet-' in rules.read_text()


def slo_rules(**slo: Any) -> dict[str, Object]:
    """Rules that `slo` generates, by name; recorded series have one of their expressions."""
    values = merge_values(DEMO, {"slo": slo, "metrics": {"prometheusRule": {"enabled": True}}})
    groups = {each["name"]: each for each in render(values).one("PrometheusRule")["spec"]["groups"]}
    return {each.get("alert") or each["record"]: each for each in groups["dctnet.slo"]["rules"]}


def test_slo_values_decide_the_rules():
    rules = slo_rules(
        windowDays=7,
        minBadRequests=9,
        availability={"objective": 99.5},
        latency={"objective": 98, "bound": 8},
    )
    budget = "namespace_job_slo:dctnet_slo_error_budget:ratio"
    assert {"7d", "30d"} & set(re.findall(r"increase(\d+d)", rules[budget]["expr"])) == {"7d"}
    availability = rules["DctnetAvailabilityFastBurn"]["expr"]
    assert " >= 9 " in availability
    assert "(14.4 * 0.005)" in availability
    latency = rules["DctnetLatencyFastBurn"]
    assert "(14.4 * 0.02)" in latency["expr"]
    assert "longer than 8 s" in latency["annotations"]["summary"]
    assert 'le=~"8([.]0)?"' in json.dumps(rules).replace("\\", "")


@pytest.mark.parametrize(("request_s", "bound"), [(60, 15), (59.9, 8), (120, 30), (0.5, 0.1)])
def test_latency_bound_is_derived_from_the_request_timeout(request_s, bound):
    timeouts = {"request": request_s, "watchdog": request_s / 2}
    metrics = {"prometheusRule": {"enabled": True}}
    rule = render(merge_values(DEMO, {"timeouts": timeouts, "metrics": metrics}))
    (slo,) = (
        group
        for group in rule.one("PrometheusRule")["spec"]["groups"]
        if group["name"] == "dctnet.slo"
    )
    escaped = str(bound).replace(".", "[.]")
    assert f'le=~\\"{escaped}([.]0)?\\"' in json.dumps(slo)
    assert f"longer than {bound} s" in json.dumps(slo)


def test_target_missing_is_left_out_without_replicas():
    def alerts(**values: Any) -> str:
        enabled = {"metrics": {"prometheusRule": {"enabled": True}}}
        return json.dumps(render(merge_values(DEMO, enabled, values)).one("PrometheusRule"))

    none = {"replicaCount": 0, "autoscaling": {"enabled": False}}
    assert '"DctnetTargetMissing"' in alerts(**none | {"replicaCount": 1})
    assert '"DctnetTargetMissing"' not in alerts(**none)


def test_alerts_are_changed_by_values(tmp_path):
    changes = {
        "DctnetQueueFull": {"threshold": 0.2, "for": "30m"},
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
    full, codecs = expected["DctnetQueueFull"], expected["DctnetCodecFailures"]
    full |= {"for": "30m", "expr": full["expr"].replace("> 0.01", "> 0.2")}
    codecs["expr"] = codecs["expr"].replace("> 10", "> 100")
    codecs["labels"]["severity"] = "page"
    for alert in actual.keys() - expected.keys():
        assert actual[alert]["labels"]["team"] == "images"
        assert actual[alert]["annotations"]["runbook_url"] == f"{url}#{alert.lower()}"
    assert {alert: actual[alert] for alert in expected} == expected


def test_thresholds_of_alerts_about_the_release():
    tls = {"expose": {"hosts": ["a.example.org"], "tls": {"enabled": True}}}
    changes = {
        "DctnetCertificateExpiring": {"threshold": 7},
        "DctnetCpuThrottled": {"threshold": 1},
    }
    rule = {"prometheusRule": {"enabled": True, "alerts": changes}}
    spec = render(merge_values(DEMO, tls, {"metrics": rule})).one("PrometheusRule")["spec"]
    written = {each.get("alert"): each for group in spec["groups"] for each in group["rules"]}
    assert written["DctnetCertificateExpiring"]["expr"].endswith(" / 86400 < 7\n")
    assert written["DctnetCpuThrottled"]["expr"].endswith(" > 1\n")


def test_additional_groups_follow_those_of_the_chart(tmp_path):
    group = {
        "name": "images",
        "interval": "1m",
        "rules": [
            {
                "alert": "ImagesIdle",
                "expr": "namespace_job:dctnet_cartoon_requests:rate5m == 0",
                "annotations": {"summary": "{{ $labels.job }} is idle."},
            }
        ],
    }
    own = {"enabled": True, "additionalGroups": [group], "alertLabels": {"team": "images"}}
    rendered = render_metrics(prometheusRule=own).one("PrometheusRule")["spec"]
    assert rendered["groups"][-1] == group
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rendered))
    assert run_tool("promtool", "check", "rules", "--lint-fatal", file).returncode == 0


def dashboards(**options: Any) -> list[Object]:
    """ConfigMaps of dashboards."""
    objects = render_metrics(dashboards={"enabled": True} | options).all("ConfigMap")
    return [each for each in objects if "dashboard" in each["metadata"]["name"]]


def test_dashboards_are_configmaps_with_the_sidecar_label():
    metrics = {
        "label": "dashboards.example/load",
        "labelValue": "yes",
        "annotations": {"folder": "Cartoons"},
    }
    files = [json.loads(file.read_text()) for file in CHART.glob("files/dashboards/*.json")]
    objects = dashboards(**metrics)
    carried = [json.loads(text) for each in objects for text in each["data"].values()]
    own = {"uid": carried[0]["uid"], "title": "dctnet images/dctnet"}
    assert carried == [file | own for file in files]
    for each in objects:
        assert each["metadata"]["labels"]["dashboards.example/load"] == "yes"
        assert each["metadata"]["annotations"]["folder"] == "Cartoons"


def test_dashboards_default_to_the_release_namespace():
    (one,) = dashboards()
    assert one["metadata"]["name"] == "dctnet-dashboard"
    assert one["metadata"]["namespace"] == "images"
    assert one["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_dashboards_of_several_releases_coexist():
    """In one Grafana, whose sidecar writes all files to one folder."""
    folder = {"metrics": {"dashboards": {"enabled": True, "namespace": "grafana"}}}
    found = [
        each
        for release in ("a", "b")
        for namespace in ("images", "more")
        for each in render(folder, release=release, namespace=namespace).all("ConfigMap")
        if each["metadata"]["namespace"] == "grafana"
    ]
    files = [(file, json.loads(text)) for each in found for file, text in each["data"].items()]
    assert len({each["metadata"]["name"] for each in found}) == 4
    assert len({file for file, _ in files}) == 4
    for key in "uid", "title":
        assert len({dashboard[key] for _, dashboard in files}) == 4
    assert all(len(dashboard["uid"]) <= 40 for _, dashboard in files)
