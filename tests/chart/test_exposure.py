"""One block of values, an Ingress and an HTTPRoute: the same expectations hold for both.

What an HTTPRoute has no words for is Envoy Gateway's policy's, and the table says so.
"""

from typing import Any

import pytest

from tests.support.chart import (
    INGRESS,
    Object,
    Objects,
    assert_schema_rejects,
    merged,
    nested,
    render,
)

HOSTS = ["a.example.org", "b.example.org"]
NGINX = "nginx.ingress.kubernetes.io/"

GATEWAY = nested(
    "gateway", {"enabled": True, "create": True, "className": "envoy", "retryPolicy": "envoy"}
)


def both(*values: dict[str, Any]) -> Objects:
    return render(merged(INGRESS, GATEWAY, *values))


def annotation(made: Objects, name: str) -> str | None:
    return made.one("Ingress")["metadata"]["annotations"].get(f"{NGINX}{name}")


def route(made: Objects) -> Object:
    """The route that leads to the replicas."""
    return made.one("HTTPRoute", "dctnet")["spec"]


def rule(made: Objects) -> Object:
    (only,) = route(made)["rules"]
    return only


def policy(made: Objects) -> Object:
    """What Envoy Gateway is told beside the route."""
    spec = made.one("BackendTrafficPolicy")["spec"]
    assert spec["targetRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "dctnet"}
    ]
    return spec


def said_by_ingress(made: Objects) -> dict[str, Any]:
    """What ingress-nginx is told, line by line."""
    ingress = made.one("Ingress")
    rules = ingress["spec"]["rules"]
    paths = [path for each in rules for path in each["http"]["paths"]]
    services = [path["backend"]["service"] for path in paths]
    ports = {port["name"]: port["port"] for port in made.one("Service", "dctnet")["spec"]["ports"]}

    def number(name: str) -> int:
        return int(annotation(made, name) or 0)

    tried_again = set((annotation(made, "proxy-next-upstream") or "").split())
    # nginx tries a POST again only with `non_idempotent`.
    assert tried_again == {"off"} or "non_idempotent" in tried_again
    codes = {word.removeprefix("http_") for word in tried_again if word.startswith("http_")}
    return {
        "hosts": [each["host"] for each in rules if "host" in each],
        "backend": {(each["name"], ports[each["port"]["name"]]) for each in services},
        "path": {(path["pathType"], path["path"]) for path in paths},
        "body in bytes": number("proxy-body-size"),
        "bytes kept to try again": number("client-body-buffer-size"),
        "tries": 1 if tried_again == {"off"} else number("proxy-next-upstream-tries"),
        "tried again": codes | ({"broken connection"} if "error" in tried_again else set()),
        "seconds to connect": number("proxy-connect-timeout"),
        "balancer": annotation(made, "load-balance"),
        "requests a second": number("limit-rps") or None,
        "certificates": [
            (host, each["secretName"])
            for each in ingress["spec"].get("tls", [])
            for host in each["hosts"]
        ],
        "issuer": issuer(ingress),
    }


def said_by_route(made: Objects) -> dict[str, Any]:
    """What the Gateway, the route and Envoy Gateway's policy are told, line by line."""
    gateway, told = made.one("Gateway"), policy(made)
    retry = told.get("retry", {"numRetries": 0, "retryOn": {"triggers": [], "httpStatusCodes": []}})
    triggers = set(retry["retryOn"]["triggers"])
    codes = {str(code) for code in retry["retryOn"]["httpStatusCodes"]}
    assert ("retriable-status-codes" in triggers) == bool(codes)
    broken = {"connect-failure", "refused-stream", "reset"} <= triggers
    assert not triggers & {"5xx", "gateway-error"}  # They would try timeouts again.
    limits = [each["limit"] for each in told.get("rateLimit", {}).get("local", {}).get("rules", [])]
    assert all(each["unit"] == "Second" for each in limits)
    matches = [each["path"] for each in rule(made)["matches"]]
    return {
        "hosts": route(made).get("hostnames", []),
        "backend": {(each["name"], each["port"]) for each in rule(made)["backendRefs"]},
        "path": {(each["type"].removeprefix("Path"), each["value"]) for each in matches},
        "body in bytes": int(told["requestBuffer"]["limit"]),
        "bytes kept to try again": int(told["requestBuffer"]["limit"]),
        "tries": 1 + retry["numRetries"],
        "tried again": codes | ({"broken connection"} if broken else set()),
        "seconds to connect": int(told["timeout"]["tcp"]["connectTimeout"].removesuffix("s")),
        "balancer": {"RoundRobin": "round_robin"}[told["loadBalancer"]["type"]],
        "requests a second": limits[0]["requests"] if limits else None,
        "certificates": [
            (each["hostname"], each["tls"]["certificateRefs"][0]["name"])
            for each in gateway["spec"]["listeners"]
            if each["protocol"] == "HTTPS"
        ],
        "issuer": issuer(gateway),
    }


def issuer(object_: Object) -> dict[str, str]:
    annotations = object_["metadata"].get("annotations", {})
    return {key: value for key, value in annotations.items() if key.startswith("cert-manager")}


BYTES = 10 * 1024 * 1024 + 64 * 1024
ALL = {"broken connection", "429", "502", "503"}
TLS = {"expose": {"hosts": HOSTS, "tls": {"enabled": True}}}

# What values make of the lines, both ways.
EXPECTATIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {},
        {
            "hosts": [],
            "backend": {("dctnet", 80)},
            "path": {("Prefix", "/")},
            "body in bytes": BYTES,
            "bytes kept to try again": BYTES,
            "tries": 3,
            "tried again": ALL,
            "seconds to connect": 5,
            "balancer": "round_robin",
            "requests a second": None,
        },
    ),
    (
        {
            "expose": {
                "hosts": HOSTS,
                "retries": 0,
                "rateLimit": {"requestsPerSecond": 50},
                "tls": {"issuer": "ca"},
            },
            "service": {"port": 8000},
            "requestLimits": {"bodyBytes": 1024},
        },
        {
            "hosts": HOSTS,
            "backend": {("dctnet", 8000)},
            "body in bytes": 1024 + 64 * 1024,
            "tries": 1,
            "tried again": set(),
            "requests a second": 50,
            "certificates": [],
            "issuer": {},
        },
    ),
    (
        {
            "expose": {"hosts": ["*.example.org"], "retries": 1},
            "requestLimits": {"bodyBytes": 1073741824},
        },
        {"hosts": ["*.example.org"], "body in bytes": 1073741824 + 64 * 1024, "tries": 2},
    ),
    (TLS, {"certificates": [(host, "dctnet-tls") for host in HOSTS], "issuer": {}}),
    (
        merged(TLS, {"expose": {"tls": {"secretName": "mine", "issuer": "ca"}}}),
        {
            "certificates": [(host, "mine") for host in HOSTS],
            "issuer": {"cert-manager.io/issuer": "ca"},
        },
    ),
    (
        merged(TLS, nested("expose.tls.clusterIssuer", "ca")),
        {"issuer": {"cert-manager.io/cluster-issuer": "ca"}},
    ),
]


@pytest.mark.promise("Cluster: Ingress and HTTPRoute say the same, and hide the management port")
@pytest.mark.parametrize(("values", "lines"), EXPECTATIONS)
def test_an_ingress_and_a_route_say_the_same(values, lines):
    made = both(values)
    for said in (said_by_ingress(made), said_by_route(made)):
        assert {line: said[line] for line in lines} == lines


@pytest.mark.promise("Cluster: Ingress and HTTPRoute say the same, and hide the management port")
def test_every_line_is_expected_of_both():
    expected = {line for _, lines in EXPECTATIONS for line in lines}
    assert expected == said_by_ingress(both()).keys() == said_by_route(both()).keys()


def test_nothing_is_exposed_by_default():
    assert not render().kinds & {"Ingress", "HTTPRoute", "Gateway", "BackendTrafficPolicy"}


@pytest.mark.promise("Cluster: Ingress and HTTPRoute say the same, and hide the management port")
def test_the_management_port_is_exposed_by_neither():
    made = both({"service": {"type": "LoadBalancer"}})
    assert [port["name"] for port in made.one("Service", "dctnet")["spec"]["ports"]] == ["http"]
    assert made.one("Service", "dctnet-management")["spec"]["clusterIP"] == "None"
    for said in (said_by_ingress(made), said_by_route(made)):
        assert {name for name, _ in said["backend"]} == {"dctnet"}


def test_a_limit_of_connections_is_ingress_nginx_s_alone():
    limited = both(nested("expose.rateLimit.connections", 7))
    assert annotation(limited, "limit-connections") == "7"
    assert policy(limited) == policy(both())


@pytest.mark.parametrize(
    ("retry_policy", "retries", "expected"),
    [
        ("none", 1, None),
        ("httproute", 1, {"attempts": 1, "codes": [429, 502, 503]}),
        ("httproute", 2, {"attempts": 2, "codes": [429, 502, 503]}),
        ("httproute", 0, None),
        ("envoy", 1, None),
    ],
)
def test_a_route_itself_tries_again_only_where_it_is_told_to(retry_policy, retries, expected):
    values = {"gateway": {"retryPolicy": retry_policy}, "expose": {"retries": retries}}
    made = render(merged(GATEWAY, values))
    assert rule(made).get("retry") == expected
    assert bool(made.all("BackendTrafficPolicy")) == (retry_policy == "envoy")
    assert rule(made)["timeouts"] == {"request": "70s"}


def test_a_broken_replica_is_left_out_for_a_while_but_never_a_full_one():
    passive = policy(both())["healthCheck"]["passive"]
    assert passive["consecutiveLocalOriginFailures"] == 1
    assert passive["splitExternalLocalOriginErrors"] is True
    assert passive["consecutive5XxErrors"] == passive["consecutiveGatewayErrors"] == 0
    assert passive["maxEjectionPercent"] == 50


def test_a_route_attaches_to_the_gateways_that_are_named():
    parents = [{"name": "public", "namespace": "edge", "sectionName": "https"}]
    values = {"gateway": {"enabled": True, "parentRefs": parents}}
    made = render(values)
    assert route(made)["parentRefs"] == parents
    assert not made.all("Gateway")
    with_its_own = render(merged(values, GATEWAY))
    assert route(with_its_own)["parentRefs"] == [*parents, {"name": "dctnet"}]


def test_by_http_a_client_is_sent_to_https_where_there_is_a_certificate():
    made = both(TLS)
    listeners = {each["name"]: each for each in made.one("Gateway")["spec"]["listeners"]}
    assert set(listeners) == {"http", "https-0", "https-1"}
    assert route(made)["parentRefs"] == [
        {"name": "dctnet", "sectionName": "https-0"},
        {"name": "dctnet", "sectionName": "https-1"},
    ]
    plain = made.one("HTTPRoute", "dctnet-https")["spec"]
    assert plain["parentRefs"] == [{"name": "dctnet", "sectionName": "http"}]
    assert plain["rules"][0]["filters"][0]["requestRedirect"]["scheme"] == "https"


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
def test_what_a_proxy_would_take_in_silence_is_rejected():
    annotations = {
        "proxy-buffers-number": "four",
        "proxy-buffer-size": "ten",
        "enable-cors": "yes",
        "proxy-buffering": "true",
    }
    wrong = [
        ("expose.retries", -1),
        ("expose.retries", 3),
        ("expose.retries", "2"),
        ("expose.rateLimit.requestsPerSecond", -1),
        ("expose.rateLimit.requestsPerSecond", "fast"),
        ("expose.rateLimit.connections", 1.5),
        ("expose.hosts", ["a_b.example.org"]),
        ("expose.hosts", ["10.0.0.1"]),
        ("requestLimits.bodyBytes", "10m"),
        ("timeouts.proxyRead", "65s"),
        ("timeouts.proxyTotal", 0),
        ("ingress.loadBalance", "least_conn"),
        ("gateway.retryPolicy", "always"),
        ("ingress.annotations", {f"{NGINX}enable-cors": True}),
        *(("ingress.annotations", {NGINX + name: value}) for name, value in annotations.items()),
    ]
    assert_schema_rejects(wrong, beside=INGRESS)


def test_annotations_and_labels_of_ones_own_are_kept():
    own = {"annotations": {"example.org/a": "1"}, "labels": {"team": "b"}}
    made = both({"ingress": own, "gateway": own})
    for kind in ("Ingress", "HTTPRoute"):
        assert made.one(kind)["metadata"]["annotations"]["example.org/a"] == "1"
        assert made.one(kind)["metadata"]["labels"]["team"] == "b"


@pytest.mark.parametrize(("name", "expected"), [("", None), ("internal", "internal")])
def test_an_ingress_names_its_class(name, expected):
    made = both(nested("ingress.className", name))
    assert made.one("Ingress")["spec"].get("ingressClassName") == expected
