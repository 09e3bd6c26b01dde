"""NetworkPolicy: ingress and egress of the replicas, and of the Job that fetches models."""

from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

import pytest

from tests.support.chart import (
    BAKED,
    DEMO,
    GATEWAY,
    IMAGE,
    INGRESS,
    JOB,
    MODELSCOPE,
    Object,
    Objects,
    merge_values,
    render,
)

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
    ports = {(each["port"], each["protocol"]) for each in dns(spec)["ports"]}
    assert ports == set(product((53, 5353), ("UDP", "TCP")))
    assert dns(spec)["to"]


@pytest.mark.parametrize(("fetching", "name"), [(MODELSCOPE, "dctnet"), (JOB, "dctnet-fetch")])
def test_egress_to_the_model_hub_while_fetching(fetching, name):
    source = {"cidrs": ["198.51.100.0/24", "2001:db8::/32"], "ports": [443, 8443]}
    objects = render(fetching | {"networkPolicy": {"modelSource": source}})
    spec = objects.one("NetworkPolicy", name)["spec"]
    (hub,) = [rule for rule in spec["egress"] if rule != dns(spec)]
    assert hub["ports"] == [{"port": port, "protocol": "TCP"} for port in (443, 8443)]
    assert hub["to"] == [{"ipBlock": {"cidr": cidr}} for cidr in source["cidrs"]]


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.parametrize(
    "values",
    [
        merge_values(MODELSCOPE, {"model": {"cache": {"existingClaim": "m", "prepared": True}}}),
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
    after, before = render(JOB | {"networkPolicy": more}), render(JOB)
    for name in "dctnet", "dctnet-fetch":
        spec, without = (each.one("NetworkPolicy", name)["spec"] for each in (after, before))
        assert spec["egress"] == without["egress"] + more["extraEgress"]
        inward = [] if name == "dctnet-fetch" else without["ingress"] + more["extraIngress"]
        assert spec.get("ingress", []) == inward


def test_network_policy_can_be_disabled():
    for values in DEMO, JOB:
        disabled = render(values | {"networkPolicy": {"enabled": False}})
        assert "NetworkPolicy" not in disabled.kinds


NAMESPACE = "images"  # That of `render`.

# Peers, each with its namespace, or an address outside of the cluster's pods.
PEERS = {
    "own namespace": NAMESPACE,
    "DNS": "kube-system",
    "ingress controller": "ingress-nginx",
    "Prometheus": "monitoring",
    "stranger": "other",
    "node-local DNS": ip_address("169.254.20.10"),
    "model hub": ip_address("198.51.100.7"),
    "other host": ip_address("203.0.113.7"),
}

HUB = {"networkPolicy": {"modelSource": {"cidrs": ["198.51.100.0/24"]}}}


def admits(rule: Object, direction: str, peer: Any, port: Any, protocol: str) -> bool:
    """Whether a rule admits a peer: a namespace's pods, or an address."""
    if {"port": port, "protocol": protocol} not in rule["ports"]:
        return False
    for each in rule.get(
        direction, [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"namespaceSelector": {}}]
    ):
        if "ipBlock" in each:
            if not isinstance(peer, str) and peer in ip_network(each["ipBlock"]["cidr"]):
                return True
            continue
        selector = each.get("namespaceSelector")
        labels = {"kubernetes.io/metadata.name": NAMESPACE} if selector is None else None
        labels = labels or selector.get("matchLabels", {})
        if (
            isinstance(peer, str)
            and labels.items() <= {"kubernetes.io/metadata.name": peer}.items()
        ):
            return True
    return False


def reachable(objects: Objects, labels: Object, direction: str) -> set[tuple[str, Any]]:
    """Peers and ports that all policies of the pods with these labels admit together."""
    policies = [
        each["spec"]
        for each in objects.all("NetworkPolicy")
        if each["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    ]
    assert policies
    return {
        (name, port)
        for name, peer in PEERS.items()
        for port, protocol in product(("http", "management", 53, 5353, 443, 80), ("TCP", "UDP"))
        for spec in policies
        for rule in spec.get(direction, [])
        if admits(rule, {"ingress": "from", "egress": "to"}[direction], peer, port, protocol)
    }


CLUSTER = {"own namespace", "DNS", "ingress controller", "Prometheus", "stranger"}
RESOLVE = set(product(CLUSTER | {"node-local DNS"}, (53, 5353)))
FETCH = {("model hub", 443)}
SERVE = {
    *(("own namespace", port) for port in ("http", "management")),
    ("ingress controller", "http"),
    ("Prometheus", "management"),
}


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.parametrize(
    ("values", "replica", "job"),
    [
        (DEMO, RESOLVE, None),
        (MODELSCOPE, RESOLVE | FETCH, None),
        (JOB, RESOLVE, RESOLVE | FETCH),
        (merge_values(JOB, {"model": {"fetch": {"by": "pods"}}}), RESOLVE | FETCH, None),
    ],
    ids=["demo", "pods", "job", "pods and a claim"],
)
def test_who_reaches_what(values, replica, job):
    objects = render(merge_values(values, HUB, INGRESS))
    labels = objects.pod["metadata"]["labels"]
    assert reachable(objects, labels, "ingress") == SERVE
    assert reachable(objects, labels, "egress") == replica
    assert bool(objects.all("Job")) == (job is not None)
    for each in objects.all("Job"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert reachable(objects, labels, "ingress") == set()
        assert reachable(objects, labels, "egress") == job
