"""What the controllers around the service are told fits what the chart and the service do."""

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
"""What the chart derives for the proxy: one try's answer, and all tries."""


def values(name: str) -> dict[str, Any]:
    return yaml.safe_load((K8S / "controllers" / f"{name}.yaml").read_text())


def gateway(kind: str) -> dict[str, Any]:
    path = K8S / "controllers" / "envoy-gateway" / "gateway.yaml"
    (found,) = [o for o in yaml.safe_load_all(path.read_text()) if o["kind"] == kind]
    return found


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_nginx_closes_idle_connections_before_the_replicas_do():
    kept = int(values("ingress-nginx")["controller"]["config"]["upstream-keepalive-timeout"])
    assert kept == VALUES["timeouts"]["proxyIdle"] < gunicorn_app.KEEP_ALIVE_S


def test_nginx_lets_requests_end_when_it_reloads_and_when_it_ends():
    controller = values("ingress-nginx")["controller"]
    workers = seconds(controller["config"]["worker-shutdown-timeout"])
    assert workers > PROXY_TOTAL_S
    spreading, exiting = controller["extraArgs"]["shutdown-grace-period"], 10
    assert controller["terminationGracePeriodSeconds"] >= spreading + workers + exiting


def test_nginx_rejects_as_the_service_does_and_replaces_no_answer_of_it():
    config = values("ingress-nginx")["controller"]["config"]
    assert config["limit-req-status-code"] == config["limit-conn-status-code"] == "429"
    assert "custom-http-errors" not in config
    assert "proxy-next-upstream" not in config


def test_nginx_has_memory_for_a_hundred_of_the_largest_bodies():
    limit = values("ingress-nginx")["controller"]["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Gi")) * 1024**3 > 100 * VALUES["requestLimits"]["bodyBytes"]


@pytest.mark.promise("Privacy: a request is one log line, whose members are all known")
def test_nginx_s_log_has_the_request_s_id_and_nothing_of_the_client():
    logged = values("ingress-nginx")["controller"]["config"]["log-format-upstream"]
    assert '"request_id":"$req_id"' in logged
    assert not re.search(r"\$(remote_addr|args|request_uri|http_)", logged)


def test_envoy_waits_for_an_answer_longer_than_a_replica_takes():
    http = gateway("ClientTrafficPolicy")["spec"]["timeout"]["http"]
    assert seconds(http["streamIdleTimeout"]) > PROXY_READ_S
    shutdown = gateway("EnvoyProxy")["spec"]["shutdown"]
    assert seconds(shutdown["drainTimeout"]) > PROXY_TOTAL_S


def test_envoy_has_memory_for_the_bodies_of_all_its_connections():
    envoy = gateway("EnvoyProxy")["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    limit = int(envoy["container"]["resources"]["limits"]["memory"].removesuffix("Gi")) * 1024**3
    connections = gateway("ClientTrafficPolicy")["spec"]["connection"]["connectionLimit"]["value"]
    assert connections * (VALUES["requestLimits"]["bodyBytes"] + 65536) < limit


@pytest.mark.promise("Privacy: a request is one log line, whose members are all known")
def test_envoy_s_log_has_the_request_s_id_and_nothing_of_the_client():
    (setting,) = gateway("EnvoyProxy")["spec"]["telemetry"]["accessLog"]["settings"]
    logged = setting["format"]["json"]
    assert logged["request_id"] == "%REQ(X-REQUEST-ID)%"
    assert not re.search(r"DOWNSTREAM|FORWARDED|REQ\(:PATH\)|QUERY|USER-AGENT", str(logged))


def test_the_gateway_s_parts_name_each_other_and_a_namespace_that_replicas_let_in():
    entrance, policy = gateway("Gateway"), gateway("ClientTrafficPolicy")
    (target,) = policy["spec"]["targetRefs"]
    assert target["name"] == entrance["metadata"]["name"]
    assert entrance["spec"]["gatewayClassName"] == gateway("GatewayClass")["metadata"]["name"]
    proxy = gateway("EnvoyProxy")["metadata"]
    parameters = gateway("GatewayClass")["spec"]["parametersRef"]
    assert (parameters["name"], parameters["namespace"]) == (proxy["name"], proxy["namespace"])
    let_in = VALUES["networkPolicy"]["controllerNamespaces"]
    assert entrance["metadata"]["namespace"] in let_in
    assert "ingress-nginx" in let_in


def test_prometheus_and_grafana_take_what_the_chart_makes():
    stack = values("kube-prometheus-stack")
    spec = stack["prometheus"]["prometheusSpec"]
    for kind in ("serviceMonitor", "podMonitor", "rule"):
        assert spec[f"{kind}SelectorNilUsesHelmValues"] is False
        assert spec[f"{kind}Selector"] == spec[f"{kind}NamespaceSelector"] == {}
    sidecar, dashboards = stack["grafana"]["sidecar"]["dashboards"], VALUES["metrics"]["dashboards"]
    assert sidecar["label"] == dashboards["label"]
    assert sidecar["labelValue"] == dashboards["labelValue"]
    assert VALUES["networkPolicy"]["prometheusNamespaces"] == ["monitoring"]


def test_the_adapter_serves_the_metric_that_the_autoscaler_asks_for():
    (rule,) = values("prometheus-adapter")["rules"]["custom"]
    name = VALUES["autoscaling"]["customMetric"]["name"]
    assert rule["name"]["as"] == name
    assert rule["seriesQuery"].startswith(f"{name}{{")
    assert f'"{name.removeprefix("dctnet_")}"' in Path(metrics.__file__).read_text()


def test_kind_brings_the_controller_s_node_ports_to_this_machine():
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
def test_gitops_installs_this_chart_with_values_that_it_has(name):
    documents = list(yaml.safe_load_all((K8S / "gitops" / f"{name}.yaml").read_text()))
    specs = [document.get("spec", {}) for document in documents]
    if name == "argocd":
        (spec,) = specs
        assert spec["source"]["targetRevision"] == CHART["version"]
        given = spec["source"]["helm"]["valuesObject"]
    else:
        assert specs[1]["ref"]["semver"] == f"~{CHART['version']}"
        given = specs[2]["values"]

    def known(some: dict[str, Any], all_values: dict[str, Any]) -> None:
        assert some.keys() <= all_values.keys()
        for key, value in some.items():
            if isinstance(value, dict):
                known(value, all_values[key])

    known(given, VALUES)


def test_every_file_that_a_comment_names_is_there():
    named = {
        name
        for path in K8S.rglob("*.yaml")
        for line in path.read_text().splitlines()
        if line.lstrip().startswith("#")
        for name in re.findall(r"(?:k8s|docs|\.github)/[\w./-]+\.(?:yaml|md)", line)
    }
    assert len(named) >= 10
    assert [name for name in named if not (ROOT / name).is_file()] == []
