"""Controller values in k8s/ are consistent with the chart and the service."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dctnet import metrics
from dctnet.server import gunicorn_app
from tests.support import chart
from tests.support.chart import DEFAULTS as VALUES
from tests.support.repo import ROOT

K8S = ROOT / "k8s"
CHART = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())

PROXY_READ_S = VALUES["timeouts"]["request"] + 5
PROXY_TOTAL_S = VALUES["timeouts"]["request"] + 10
"""Proxy timeouts that the chart derives: for one try, and for a request with its retries."""


def values(name: str) -> dict[str, Any]:
    return yaml.safe_load((K8S / "controllers" / f"{name}.yaml").read_text())


def gateway(kind: str) -> dict[str, Any]:
    path = K8S / "controllers" / "envoy-gateway" / "gateway.yaml"
    (document,) = [o for o in yaml.safe_load_all(path.read_text()) if o["kind"] == kind]
    return document


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_nginx_idle_timeout_is_less_than_keep_alive():
    timeout_s = int(values("ingress-nginx")["controller"]["config"]["upstream-keepalive-timeout"])
    assert timeout_s == VALUES["timeouts"]["proxyIdle"] < gunicorn_app.KEEP_ALIVE_S


def test_nginx_completes_requests_on_reload_and_shutdown():
    controller = values("ingress-nginx")["controller"]
    workers = seconds(controller["config"]["worker-shutdown-timeout"])
    assert workers > PROXY_TOTAL_S
    spreading, exiting = controller["extraArgs"]["shutdown-grace-period"], 10
    assert controller["terminationGracePeriodSeconds"] >= spreading + workers + exiting


def test_nginx_rate_limits_with_429_and_keeps_error_responses():
    config = values("ingress-nginx")["controller"]["config"]
    assert config["limit-req-status-code"] == config["limit-conn-status-code"] == "429"
    assert "custom-http-errors" not in config
    assert "proxy-next-upstream" not in config


def test_nginx_memory_fits_100_maximum_bodies():
    limit = values("ingress-nginx")["controller"]["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Gi")) * 1024**3 > 100 * VALUES["requestLimits"]["bodyBytes"]


@pytest.mark.promise("Privacy: a request is one log line, whose members are all known")
def test_nginx_access_log_has_request_id_and_no_client_data():
    log_format = values("ingress-nginx")["controller"]["config"]["log-format-upstream"]
    assert '"request_id":"$req_id"' in log_format
    assert not re.search(r"\$(remote_addr|args|request_uri|http_)", log_format)


def test_envoy_timeouts_exceed_those_of_the_service():
    http = gateway("ClientTrafficPolicy")["spec"]["timeout"]["http"]
    assert seconds(http["streamIdleTimeout"]) > PROXY_READ_S
    shutdown = gateway("EnvoyProxy")["spec"]["shutdown"]
    assert seconds(shutdown["drainTimeout"]) > PROXY_TOTAL_S


def test_envoy_memory_fits_bodies_of_all_connections():
    envoy = gateway("EnvoyProxy")["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    limit = int(envoy["container"]["resources"]["limits"]["memory"].removesuffix("Gi")) * 1024**3
    connections = gateway("ClientTrafficPolicy")["spec"]["connection"]["connectionLimit"]["value"]
    assert connections * (VALUES["requestLimits"]["bodyBytes"] + 65536) < limit


@pytest.mark.promise("Privacy: a request is one log line, whose members are all known")
def test_envoy_access_log_has_request_id_and_no_client_data():
    (setting,) = gateway("EnvoyProxy")["spec"]["telemetry"]["accessLog"]["settings"]
    log_format = setting["format"]["json"]
    assert log_format["request_id"] == "%REQ(X-REQUEST-ID)%"
    assert not re.search(r"DOWNSTREAM|FORWARDED|REQ\(:PATH\)|QUERY|USER-AGENT", str(log_format))


def test_gateway_objects_reference_each_other_and_an_allowed_namespace():
    gateway_, policy = gateway("Gateway"), gateway("ClientTrafficPolicy")
    (target,) = policy["spec"]["targetRefs"]
    assert target["name"] == gateway_["metadata"]["name"]
    assert gateway_["spec"]["gatewayClassName"] == gateway("GatewayClass")["metadata"]["name"]
    proxy = gateway("EnvoyProxy")["metadata"]
    parameters = gateway("GatewayClass")["spec"]["parametersRef"]
    assert (parameters["name"], parameters["namespace"]) == (proxy["name"], proxy["namespace"])
    let_in = VALUES["networkPolicy"]["controllerNamespaces"]
    assert gateway_["metadata"]["namespace"] in let_in
    assert "ingress-nginx" in let_in


def test_prometheus_and_grafana_select_objects_of_the_chart():
    stack = values("kube-prometheus-stack")
    spec = stack["prometheus"]["prometheusSpec"]
    for kind in ("serviceMonitor", "podMonitor", "rule"):
        assert spec[f"{kind}SelectorNilUsesHelmValues"] is False
        assert spec[f"{kind}Selector"] == spec[f"{kind}NamespaceSelector"] == {}
    sidecar, dashboards = stack["grafana"]["sidecar"]["dashboards"], VALUES["metrics"]["dashboards"]
    assert sidecar["label"] == dashboards["label"]
    assert sidecar["labelValue"] == dashboards["labelValue"]
    assert VALUES["networkPolicy"]["prometheusNamespaces"] == ["monitoring"]


def test_adapter_serves_the_metric_of_the_autoscaler():
    (rule,) = values("prometheus-adapter")["rules"]["custom"]
    name = VALUES["autoscaling"]["customMetric"]["name"]
    assert rule["name"]["as"] == name
    assert rule["seriesQuery"].startswith(f"{name}{{")
    assert f'"{name.removeprefix("dctnet_")}"' in Path(metrics.__file__).read_text()


def test_kind_maps_node_ports_to_the_host():
    ports = values("ingress-nginx-kind")["controller"]["service"]["nodePorts"]
    nodes = yaml.safe_load((K8S / "kind.yaml").read_text())["nodes"]
    mapped = {
        mapping["hostPort"]: mapping["containerPort"]
        for node in nodes
        for mapping in node.get("extraPortMappings", [])
    }
    assert mapped == {80: ports["http"], 443: ports["https"]}
    zones = [node["labels"]["topology.kubernetes.io/zone"] for node in nodes if "labels" in node]
    assert len(zones) == len(set(zones)) == 2


@pytest.mark.parametrize("name", ["argocd", "flux"])
def test_gitops_uses_existing_values(name):
    documents = list(yaml.safe_load_all((K8S / "gitops" / f"{name}.yaml").read_text()))
    specs = [document.get("spec", {}) for document in documents]
    if name == "argocd":
        (spec,) = specs
        assert spec["source"]["targetRevision"] == CHART["version"]
        values_ = spec["source"]["helm"]["valuesObject"]
    else:
        assert specs[1]["ref"]["semver"] == f"~{CHART['version']}"
        values_ = specs[2]["values"]

    def assert_known(some: dict[str, Any], all_values: dict[str, Any]) -> None:
        assert some.keys() <= all_values.keys()
        for key, value in some.items():
            if isinstance(value, dict):
                assert_known(value, all_values[key])

    assert_known(values_, VALUES)


def test_files_named_in_comments_exist():
    names = {
        name
        for path in K8S.rglob("*.yaml")
        for line in path.read_text().splitlines()
        if line.lstrip().startswith("#")
        for name in re.findall(r"(?:k8s|docs|\.github)/[\w./-]+\.(?:yaml|md)", line)
    }
    assert len(names) >= 10
    assert [name for name in names if not (ROOT / name).is_file()] == []
