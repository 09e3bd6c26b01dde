"""NetworkPolicy: ingress and egress of the replicas."""

from typing import Any

import pytest

from tests.support.chart import BAKED, DEMO, GATEWAY, IMAGE, INGRESS, Object, merge_values, render

HERE = {"podSelector": {}}


def namespaces(*names: str) -> list[Object]:
    return [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        for name in names
    ]


def policy(*values: dict[str, Any]) -> Object:
    return render(merge_values(*values)).one("NetworkPolicy")["spec"]


def rules(spec: Object, port: str) -> list[Object]:
    return [rule for rule in spec["ingress"] if {"port": port, "protocol": "TCP"} in rule["ports"]]


def test_network_policy_selects_replicas_for_ingress_and_egress():
    objects = render(DEMO)
    spec = objects.one("NetworkPolicy")["spec"]
    assert spec["podSelector"] == objects.deployment["spec"]["selector"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]


CONTROLLERS = ("ingress-nginx", "envoy-gateway-system")


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        (INGRESS, [HERE, *namespaces(*CONTROLLERS)]),
        (GATEWAY, [HERE, *namespaces(*CONTROLLERS)]),
        (merge_values(INGRESS, {"networkPolicy": {"controllerNamespaces": []}}), [HERE]),
        (
            merge_values(GATEWAY, {"networkPolicy": {"controllerNamespaces": ["edge"]}}),
            [HERE, *namespaces("edge")],
        ),
    ],
)
def test_api_ingress_is_limited_to_proxies_if_enabled(values, expected):
    (rule,) = rules(policy(DEMO, values), "http")
    assert rule.get("from") == expected


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.parametrize("names", [None, [], ["a", "b"]])
def test_management_ingress_is_limited_to_prometheus(names):
    network_policy = {} if names is None else {"networkPolicy": {"prometheusNamespaces": names}}
    (rule,) = rules(policy(DEMO, network_policy), "management")
    assert rule["from"] == [HERE, *namespaces(*(["monitoring"] if names is None else names))]
    assert len(rule["ports"]) == 1


def dns(spec: Object) -> Object:
    (rule,) = [each for each in spec["egress"] if each["ports"][0]["port"] == 53]
    return rule


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
def test_egress_is_limited_to_dns():
    spec = policy(DEMO)
    assert spec["egress"] == [dns(spec)]
    assert {each["protocol"] for each in dns(spec)["ports"]} == {"UDP", "TCP"}
    assert {each["port"] for each in dns(spec)["ports"]} == {53}
    assert dns(spec)["to"]


def test_egress_to_the_model_hub_while_fetching():
    source = {"cidrs": ["198.51.100.0/24", "2001:db8::/32"], "ports": [443, 8443]}
    spec = policy({"networkPolicy": {"modelSource": source}})
    (hub,) = [rule for rule in spec["egress"] if rule != dns(spec)]
    assert hub["ports"] == [{"port": port, "protocol": "TCP"} for port in (443, 8443)]
    assert hub["to"] == [{"ipBlock": {"cidr": cidr}} for cidr in source["cidrs"]]


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.parametrize(
    "values",
    [
        {"model": {"cache": {"existingClaim": "models", "prepared": True}}},
        {"model": {"source": "existingClaim", "existingClaim": {"name": "models"}}},
        IMAGE,
        BAKED,
    ],
)
def test_no_egress_to_the_model_hub_without_fetching(values):
    spec = policy(values)
    assert spec["egress"] == [dns(spec)]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://collector.monitoring:4318", 4318),
        ("https://collector.example.org/otlp", 443),
        ("http://192.0.2.7", 80),
    ],
)
def test_egress_to_the_tracing_collector(endpoint, port):
    tracing = {"tracing": {"endpoint": endpoint}}
    spec = policy(DEMO, tracing, {"networkPolicy": {"collectorNamespaces": ["a", "b"]}})
    (collector,) = [rule for rule in spec["egress"] if rule != dns(spec)]
    assert collector["ports"] == [{"port": port, "protocol": "TCP"}]
    assert collector["to"] == [HERE, *namespaces("a", "b")]


def test_extra_network_policy_rules():
    more: dict[str, Any] = {
        "extraIngress": [{"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}],
        "extraEgress": [{"ports": [{"port": 4317, "protocol": "TCP"}]}],
    }
    spec, without = policy(DEMO, {"networkPolicy": more}), policy(DEMO)
    assert spec["ingress"] == without["ingress"] + more["extraIngress"]
    assert spec["egress"] == without["egress"] + more["extraEgress"]


def test_network_policy_can_be_disabled():
    assert "NetworkPolicy" not in render({"networkPolicy": {"enabled": False}}).kinds
