"""Who may reach a replica, and whom it may reach."""

from typing import Any

import pytest

from tests.support.chart import BAKED, DEMO, GATEWAY, IMAGE, INGRESS, Object, merged, render

HERE = {"podSelector": {}}


def namespaces(*names: str) -> list[Object]:
    return [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        for name in names
    ]


def policy(*values: dict[str, Any]) -> Object:
    return render(merged(*values)).one("NetworkPolicy")["spec"]


def rules(spec: Object, port: str) -> list[Object]:
    return [rule for rule in spec["ingress"] if {"port": port, "protocol": "TCP"} in rule["ports"]]


def test_it_is_about_the_replicas_and_both_directions():
    made = render(DEMO)
    spec = made.one("NetworkPolicy")["spec"]
    assert spec["podSelector"] == made.deployment["spec"]["selector"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]


CONTROLLERS = ("ingress-nginx", "envoy-gateway-system")


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        (INGRESS, [HERE, *namespaces(*CONTROLLERS)]),
        (GATEWAY, [HERE, *namespaces(*CONTROLLERS)]),
        (merged(INGRESS, {"networkPolicy": {"controllerNamespaces": []}}), [HERE]),
        (
            merged(GATEWAY, {"networkPolicy": {"controllerNamespaces": ["edge"]}}),
            [HERE, *namespaces("edge")],
        ),
    ],
)
def test_the_api_is_open_to_the_proxies_and_to_all_where_there_are_none(values, expected):
    (rule,) = rules(policy(DEMO, values), "http")
    assert rule.get("from") == expected


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.parametrize("names", [None, [], ["a", "b"]])
def test_the_management_port_is_open_to_prometheus_alone(names):
    told = {} if names is None else {"networkPolicy": {"prometheusNamespaces": names}}
    (rule,) = rules(policy(DEMO, told), "management")
    assert rule["from"] == [HERE, *namespaces(*(["monitoring"] if names is None else names))]
    assert len(rule["ports"]) == 1


def dns(spec: Object) -> Object:
    (rule,) = [each for each in spec["egress"] if each["ports"][0]["port"] == 53]
    return rule


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
def test_nothing_goes_out_but_dns():
    spec = policy(DEMO)
    assert spec["egress"] == [dns(spec)]
    assert {each["protocol"] for each in dns(spec)["ports"]} == {"UDP", "TCP"}
    assert {each["port"] for each in dns(spec)["ports"]} == {53}
    assert dns(spec)["to"]


def test_a_pod_that_fetches_its_model_may_reach_the_hub():
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
def test_a_pod_that_has_its_model_may_not(values):
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
def test_a_replica_that_makes_spans_may_reach_their_collector(endpoint, port):
    tracing = {"tracing": {"endpoint": endpoint}}
    spec = policy(DEMO, tracing, {"networkPolicy": {"collectorNamespaces": ["a", "b"]}})
    (collector,) = [rule for rule in spec["egress"] if rule != dns(spec)]
    assert collector["ports"] == [{"port": port, "protocol": "TCP"}]
    assert collector["to"] == [HERE, *namespaces("a", "b")]


def test_rules_of_ones_own_are_added():
    more: dict[str, Any] = {
        "extraIngress": [{"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}],
        "extraEgress": [{"ports": [{"port": 4317, "protocol": "TCP"}]}],
    }
    spec, without = policy(DEMO, {"networkPolicy": more}), policy(DEMO)
    assert spec["ingress"] == without["ingress"] + more["extraIngress"]
    assert spec["egress"] == without["egress"] + more["extraEgress"]


def test_it_can_be_left_out():
    assert "NetworkPolicy" not in render({"networkPolicy": {"enabled": False}}).kinds
