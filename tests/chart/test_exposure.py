"""One block of values, an Ingress and an HTTPRoute: the same expectations hold for both.

What an HTTPRoute has no words for is Envoy Gateway's policy's, and the table says so.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.chart import Object, Objects, assert_schema_rejects, merged, nested, render

HOSTS = ["a.example.org", "b.example.org"]
NGINX = "nginx.ingress.kubernetes.io/"

INGRESS = {"ingress": {"enabled": True}}
GATEWAY = {
    "gateway": {"enabled": True, "create": True, "className": "envoy", "retries": "envoy"},
}


def both(*values: dict[str, Any]) -> Objects:
    return render(merged(INGRESS, GATEWAY, *values))


def annotation(made: Objects, name: str) -> str | None:
    return made.one("Ingress")["metadata"]["annotations"].get(f"{NGINX}{name}")


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


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


def nginx_hosts(made: Objects) -> list[str]:
    return [each["host"] for each in made.one("Ingress")["spec"]["rules"] if "host" in each]


def nginx_backends(made: Objects) -> set[tuple[str, str]]:
    service = made.one("Service", "dctnet")
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    return {
        (path["backend"]["service"]["name"], ports[path["backend"]["service"]["port"]["name"]])
        for each in made.one("Ingress")["spec"]["rules"]
        for path in each["http"]["paths"]
    }


def nginx_paths(made: Objects) -> set[tuple[str, str]]:
    return {
        (path["pathType"], path["path"])
        for each in made.one("Ingress")["spec"]["rules"]
        for path in each["http"]["paths"]
    }


def nginx_tries(made: Objects) -> int:
    if annotation(made, "proxy-next-upstream") == "off":
        return 1
    return int(annotation(made, "proxy-next-upstream-tries") or 0)


def nginx_retried(made: Objects) -> set[str]:
    told = set((annotation(made, "proxy-next-upstream") or "").split())
    # nginx tries a POST again only with `non_idempotent`.
    assert told == {"off"} or "non_idempotent" in told
    codes = {word.removeprefix("http_") for word in told if word.startswith("http_")}
    return codes | ({"broken connection"} if "error" in told else set())


def envoy_tries(made: Objects) -> int:
    return 1 + policy(made).get("retry", {}).get("numRetries", 0)


def envoy_retried(made: Objects) -> set[str]:
    on = policy(made).get("retry", {}).get("retryOn", {"triggers": [], "httpStatusCodes": []})
    triggers = set(on["triggers"])
    codes = {str(code) for code in on["httpStatusCodes"]}
    assert ("retriable-status-codes" in triggers) == bool(codes)
    broken = {"connect-failure", "refused-stream", "reset"} <= triggers
    assert not triggers & {"5xx", "gateway-error"}  # They would try timeouts again.
    return codes | ({"broken connection"} if broken else set())


def nginx_certificate(made: Objects) -> list[tuple[str, str]]:
    return [
        (host, each["secretName"])
        for each in made.one("Ingress")["spec"].get("tls", [])
        for host in each["hosts"]
    ]


def gateway_certificate(made: Objects) -> list[tuple[str, str]]:
    return [
        (each["hostname"], each["tls"]["certificateRefs"][0]["name"])
        for each in made.one("Gateway")["spec"]["listeners"]
        if each["protocol"] == "HTTPS"
    ]


def issuers(kind: str) -> Callable[[Objects], dict[str, str]]:
    def read(made: Objects) -> dict[str, str]:
        annotations = made.one(kind)["metadata"].get("annotations", {})
        return {key: value for key, value in annotations.items() if key.startswith("cert-manager")}

    return read


def nginx_limit(made: Objects) -> int | None:
    told = annotation(made, "limit-rps")
    return int(told) if told else None


def envoy_limit(made: Objects) -> int | None:
    limits = policy(made).get("rateLimit", {}).get("local", {}).get("rules", [])
    assert all(each["limit"]["unit"] == "Second" for each in limits)
    return limits[0]["limit"]["requests"] if limits else None


# Each line: how it is read from an Ingress, and from a route with its policy.
READERS: dict[str, tuple[Callable[[Objects], Any], Callable[[Objects], Any]]] = {
    "hosts": (nginx_hosts, lambda made: route(made).get("hostnames", [])),
    "backend": (
        nginx_backends,
        lambda made: {(each["name"], each["port"]) for each in rule(made)["backendRefs"]},
    ),
    "path": (
        nginx_paths,
        lambda made: {
            (each["path"]["type"].removeprefix("Path"), each["path"]["value"])
            for each in rule(made)["matches"]
        },
    ),
    "body in bytes": (
        lambda made: int(annotation(made, "proxy-body-size") or 0),
        lambda made: int(policy(made)["requestBuffer"]["limit"]),
    ),
    "bytes kept to try again": (
        lambda made: int(annotation(made, "client-body-buffer-size") or 0),
        lambda made: int(policy(made)["requestBuffer"]["limit"]),
    ),
    "tries": (nginx_tries, envoy_tries),
    "tried again": (nginx_retried, envoy_retried),
    "seconds to connect": (
        lambda made: int(annotation(made, "proxy-connect-timeout") or 0),
        lambda made: seconds(policy(made)["timeout"]["tcp"]["connectTimeout"]),
    ),
    "balancer": (
        lambda made: annotation(made, "load-balance"),
        lambda made: {"RoundRobin": "round_robin"}[policy(made)["loadBalancer"]["type"]],
    ),
    "requests a second": (nginx_limit, envoy_limit),
    "certificates": (nginx_certificate, gateway_certificate),
    "issuer": (issuers("Ingress"), issuers("Gateway")),
}

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
                "tries": 1,
                "rateLimit": {"requestsPerSecond": 50},
                "tls": {"issuer": "ca"},
            },
            "service": {"port": 8000},
            "limits": {"bytes": 1024},
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
        {"expose": {"hosts": ["*.example.org"], "tries": 2}, "limits": {"bytes": 1073741824}},
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
def test_an_ingress_and_a_route_say_the_same(values: dict[str, Any], lines: dict[str, Any]) -> None:
    made = both(values)
    for number in (0, 1):
        assert {line: READERS[line][number](made) for line in lines} == lines


@pytest.mark.promise("Cluster: Ingress and HTTPRoute say the same, and hide the management port")
def test_every_line_is_expected_of_both() -> None:
    assert {line for _, lines in EXPECTATIONS for line in lines} == set(READERS)


def test_nothing_is_exposed_by_default() -> None:
    assert not render().kinds & {"Ingress", "HTTPRoute", "Gateway", "BackendTrafficPolicy"}


@pytest.mark.promise("Cluster: Ingress and HTTPRoute say the same, and hide the management port")
def test_the_management_port_is_exposed_by_neither() -> None:
    made = both({"service": {"type": "LoadBalancer"}})
    assert [port["name"] for port in made.one("Service", "dctnet")["spec"]["ports"]] == ["http"]
    assert made.one("Service", "dctnet-management")["spec"]["clusterIP"] == "None"
    assert {name for name, _ in nginx_backends(made)} == {"dctnet"}
    assert [each["name"] for each in rule(made)["backendRefs"]] == ["dctnet"]


def test_a_limit_of_connections_is_ingress_nginx_s_alone() -> None:
    limited = both(nested("expose.rateLimit.connections", 7))
    assert annotation(limited, "limit-connections") == "7"
    assert policy(limited) == policy(both())


@pytest.mark.parametrize(
    ("retries", "tries", "expected"),
    [
        ("none", 2, None),
        ("httproute", 2, {"attempts": 1, "codes": [429, 502, 503]}),
        ("httproute", 3, {"attempts": 2, "codes": [429, 502, 503]}),
        ("httproute", 1, None),
        ("envoy", 2, None),
    ],
)
def test_a_route_itself_tries_again_only_where_it_is_told_to(
    retries: str, tries: int, expected: dict[str, Any] | None
) -> None:
    values = {"gateway": {"retries": retries}, "expose": {"tries": tries}}
    made = render(merged(GATEWAY, values))
    assert rule(made).get("retry") == expected
    assert bool(made.all("BackendTrafficPolicy")) == (retries == "envoy")
    assert rule(made)["timeouts"] == {"request": "70s"}


def test_a_broken_replica_is_left_out_for_a_while_but_never_a_full_one() -> None:
    passive = policy(both())["healthCheck"]["passive"]
    assert passive["consecutiveLocalOriginFailures"] == 1
    assert passive["splitExternalLocalOriginErrors"] is True
    assert passive["consecutive5XxErrors"] == passive["consecutiveGatewayErrors"] == 0
    assert passive["maxEjectionPercent"] == 50


def test_a_route_attaches_to_the_gateways_that_are_named() -> None:
    parents = [{"name": "public", "namespace": "edge", "sectionName": "https"}]
    values = {"gateway": {"enabled": True, "parentRefs": parents}}
    made = render(values)
    assert route(made)["parentRefs"] == parents
    assert not made.all("Gateway")
    with_its_own = render(merged(values, GATEWAY))
    assert route(with_its_own)["parentRefs"] == [*parents, {"name": "dctnet"}]


def test_by_http_a_client_is_sent_to_https_where_there_is_a_certificate() -> None:
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
def test_what_a_proxy_would_take_in_silence_is_refused() -> None:
    annotations = {
        "proxy-buffers-number": "four",
        "proxy-buffer-size": "ten",
        "enable-cors": "yes",
        "proxy-buffering": "true",
    }
    wrong = [
        ("expose.tries", 0),
        ("expose.tries", 4),
        ("expose.tries", "2"),
        ("expose.rateLimit.requestsPerSecond", -1),
        ("expose.rateLimit.requestsPerSecond", "fast"),
        ("expose.rateLimit.connections", 1.5),
        ("expose.hosts", ["a_b.example.org"]),
        ("expose.hosts", ["10.0.0.1"]),
        ("limits.bytes", "10m"),
        ("timeouts.proxyRead", "65s"),
        ("timeouts.proxyTotal", 0),
        ("ingress.loadBalance", "least_conn"),
        ("gateway.retries", "always"),
        ("ingress.annotations", {f"{NGINX}enable-cors": True}),
        *(("ingress.annotations", {NGINX + name: value}) for name, value in annotations.items()),
    ]
    assert_schema_rejects(wrong, beside=INGRESS)


def test_annotations_and_labels_of_ones_own_are_kept() -> None:
    own = {"annotations": {"example.org/a": "1"}, "labels": {"team": "b"}}
    made = both({"ingress": own, "gateway": own})
    for kind in ("Ingress", "HTTPRoute"):
        assert made.one(kind)["metadata"]["annotations"]["example.org/a"] == "1"
        assert made.one(kind)["metadata"]["labels"]["team"] == "b"


@pytest.mark.parametrize(("name", "expected"), [("", None), ("internal", "internal")])
def test_an_ingress_names_its_class(name: str, expected: str | None) -> None:
    made = both(nested("ingress.className", name))
    assert made.one("Ingress")["spec"].get("ingressClassName") == expected
