"""One block of values, an Ingress and an HTTPRoute: the same expectations hold for both.

What an HTTPRoute has no words for is Envoy Gateway's policy's, and the table says so.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.chart import Invalid, Object, Objects, merged, nested, render

HOSTS = ["a.example.org", "b.example.org"]
NGINX = "nginx.ingress.kubernetes.io/"

WAYS = {
    "ingress": {"ingress": {"enabled": True}},
    "gateway": {
        "gateway": {"enabled": True, "create": True, "className": "envoy", "retries": "envoy"}
    },
}


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

# What values make of which line; both ways.
EXPECTATIONS: list[tuple[str, dict[str, Any], Any]] = [
    ("hosts", {}, []),
    ("hosts", nested("expose.hosts", HOSTS), HOSTS),
    ("hosts", nested("expose.hosts", ["*.example.org"]), ["*.example.org"]),
    ("backend", {}, {("dctnet", 80)}),
    ("backend", nested("service.port", 8000), {("dctnet", 8000)}),
    ("path", {}, {("Prefix", "/")}),
    ("body in bytes", {}, BYTES),
    ("body in bytes", nested("limits.bytes", 1024), 1024 + 64 * 1024),
    ("body in bytes", nested("limits.bytes", 1073741824), 1073741824 + 64 * 1024),
    ("bytes kept to try again", {}, BYTES),
    ("tries", {}, 3),
    ("tries", nested("expose.tries", 1), 1),
    ("tries", nested("expose.tries", 2), 2),
    ("tried again", {}, ALL),
    ("tried again", nested("expose.tries", 1), set()),
    ("seconds to connect", {}, 5),
    ("balancer", {}, "round_robin"),
    ("requests a second", {}, None),
    ("requests a second", nested("expose.rateLimit.requestsPerSecond", 50), 50),
    ("certificates", nested("expose.hosts", HOSTS), []),
    ("certificates", TLS, [(host, "dctnet-tls") for host in HOSTS]),
    (
        "certificates",
        merged(TLS, nested("expose.tls.secretName", "mine")),
        [(host, "mine") for host in HOSTS],
    ),
    ("issuer", TLS, {}),
    (
        "issuer",
        merged(TLS, nested("expose.tls.issuer", "ca")),
        {"cert-manager.io/issuer": "ca"},
    ),
    (
        "issuer",
        merged(TLS, nested("expose.tls.clusterIssuer", "ca")),
        {"cert-manager.io/cluster-issuer": "ca"},
    ),
    ("issuer", nested("expose.tls.issuer", "ca"), {}),
]


@pytest.mark.promise("Cluster: Ingress and HTTPRoute say the same, and hide the management port")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("line", "values", "expected"), EXPECTATIONS)
def test_an_ingress_and_a_route_say_the_same(
    way: str, line: str, values: dict[str, Any], expected: Any
) -> None:
    read = READERS[line][0 if way == "ingress" else 1]
    assert read(render(merged(WAYS[way], values))) == expected


@pytest.mark.promise("Cluster: Ingress and HTTPRoute say the same, and hide the management port")
def test_every_line_is_expected_of_both() -> None:
    assert {line for line, _, _ in EXPECTATIONS} == set(READERS)


def test_nothing_is_exposed_by_default() -> None:
    assert not render().kinds & {"Ingress", "HTTPRoute", "Gateway", "BackendTrafficPolicy"}


def test_both_may_be_enabled_at_once() -> None:
    assert {"Ingress", "HTTPRoute"} <= render(merged(*WAYS.values())).kinds


@pytest.mark.promise("Cluster: Ingress and HTTPRoute say the same, and hide the management port")
def test_the_management_port_is_exposed_by_neither() -> None:
    made = render(merged(*WAYS.values(), {"service": {"type": "LoadBalancer"}}))
    assert [port["name"] for port in made.one("Service", "dctnet")["spec"]["ports"]] == ["http"]
    assert made.one("Service", "dctnet-management")["spec"]["clusterIP"] == "None"
    assert {name for name, _ in nginx_backends(made)} == {"dctnet"}
    assert [each["name"] for each in rule(made)["backendRefs"]] == ["dctnet"]


def test_a_limit_of_connections_is_ingress_nginx_s_alone() -> None:
    limited = nested("expose.rateLimit.connections", 7)
    assert annotation(render(merged(WAYS["ingress"], limited)), "limit-connections") == "7"
    assert policy(render(merged(WAYS["gateway"], limited))) == policy(render(WAYS["gateway"]))


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
    made = render(merged(WAYS["gateway"], values))
    assert rule(made).get("retry") == expected
    assert bool(made.all("BackendTrafficPolicy")) == (retries == "envoy")
    assert rule(made)["timeouts"] == {"request": "70s"}


def test_a_broken_replica_is_left_out_for_a_while_but_never_a_full_one() -> None:
    passive = policy(render(WAYS["gateway"]))["healthCheck"]["passive"]
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
    with_its_own = render(merged(values, nested("gateway.create", True), WAYS["gateway"]))
    assert route(with_its_own)["parentRefs"] == [*parents, {"name": "dctnet"}]


def test_by_http_a_client_is_sent_to_https_where_there_is_a_certificate() -> None:
    made = render(merged(WAYS["gateway"], TLS))
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
@pytest.mark.parametrize(
    ("path", "wrong"),
    [
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
        ("ingress.annotations", {f"{NGINX}proxy-buffers-number": "four"}),
        ("ingress.annotations", {f"{NGINX}proxy-buffer-size": "ten"}),
        ("ingress.annotations", {f"{NGINX}enable-cors": "yes"}),
        ("ingress.annotations", {f"{NGINX}enable-cors": True}),
        ("ingress.annotations", {f"{NGINX}proxy-buffering": "true"}),
        ("gateway.retries", "always"),
    ],
)
def test_what_a_proxy_would_take_in_silence_is_refused(path: str, wrong: object) -> None:
    with pytest.raises(Invalid, match=path.rpartition(".")[2]):
        render(merged(WAYS["ingress"], nested(path, wrong)))


def test_annotations_and_labels_of_ones_own_are_kept() -> None:
    own = {"annotations": {"example.org/a": "1"}, "labels": {"team": "b"}}
    made = render(merged(*WAYS.values(), {"ingress": own, "gateway": own}))
    for kind in ("Ingress", "HTTPRoute"):
        assert made.one(kind)["metadata"]["annotations"]["example.org/a"] == "1"
        assert made.one(kind)["metadata"]["labels"]["team"] == "b"


@pytest.mark.parametrize(("name", "expected"), [("", None), ("internal", "internal")])
def test_an_ingress_names_its_class(name: str, expected: str | None) -> None:
    made = render(merged(WAYS["ingress"], nested("ingress.className", name)))
    assert made.one("Ingress")["spec"].get("ingressClassName") == expected
