"""Ingress and HTTPRoute: the values in `expose` have the same effect on both.

Settings that HTTPRoute lacks are in the BackendTrafficPolicy of Envoy Gateway.
"""

from typing import Any

import pytest

from tests.support.chart import (
    INGRESS,
    Object,
    Objects,
    assert_schema_rejects,
    merge_values,
    nest_value,
    render,
)

HOSTS = ["a.example.org", "b.example.org"]
NGINX = "nginx.ingress.kubernetes.io/"

GATEWAY = nest_value(
    "gateway", {"enabled": True, "create": True, "className": "envoy", "retryPolicy": "envoy"}
)


def render_both(*values: dict[str, Any]) -> Objects:
    return render(merge_values(INGRESS, GATEWAY, *values))


def annotation(objects: Objects, name: str) -> str | None:
    return objects.one("Ingress")["metadata"]["annotations"].get(f"{NGINX}{name}")


def route(objects: Objects) -> Object:
    """Return the spec of the HTTPRoute with the replicas as backend."""
    return objects.one("HTTPRoute", "dctnet")["spec"]


def rule(objects: Objects) -> Object:
    (only,) = route(objects)["rules"]
    return only


def policy(objects: Objects) -> Object:
    """Return the spec of the BackendTrafficPolicy."""
    spec = objects.one("BackendTrafficPolicy")["spec"]
    assert spec["targetRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "dctnet"}
    ]
    return spec


def ingress_settings(objects: Objects) -> dict[str, Any]:
    """Return the settings of ingress-nginx, comparable with `route_settings`."""
    ingress = objects.one("Ingress")
    rules = ingress["spec"]["rules"]
    paths = [path for each in rules for path in each["http"]["paths"]]
    services = [path["backend"]["service"] for path in paths]
    ports = {
        port["name"]: port["port"] for port in objects.one("Service", "dctnet")["spec"]["ports"]
    }

    def number(name: str) -> int:
        return int(annotation(objects, name) or 0)

    retried = set((annotation(objects, "proxy-next-upstream") or "").split())
    # nginx retries a POST only with `non_idempotent`.
    assert retried == {"off"} or "non_idempotent" in retried
    codes = {word.removeprefix("http_") for word in retried if word.startswith("http_")}
    return {
        "hosts": [each["host"] for each in rules if "host" in each],
        "backend": {(each["name"], ports[each["port"]["name"]]) for each in services},
        "path": {(path["pathType"], path["path"]) for path in paths},
        "maximum body, bytes": number("proxy-body-size"),
        "retry buffer, bytes": number("client-body-buffer-size"),
        "tries": 1 if retried == {"off"} else number("proxy-next-upstream-tries"),
        "retried": codes | ({"connection error"} if "error" in retried else set()),
        "connect timeout, s": number("proxy-connect-timeout"),
        "requests per second": number("limit-rps") or None,
        "certificates": sorted(
            (host, each["secretName"])
            for each in ingress["spec"].get("tls", [])
            for host in each["hosts"]
        ),
        "issuer": issuer(ingress),
    }


def route_settings(objects: Objects) -> dict[str, Any]:
    """Return the settings of Gateway, HTTPRoute and BackendTrafficPolicy."""
    gateway, backend_policy = objects.one("Gateway"), policy(objects)
    retry = backend_policy.get(
        "retry", {"numRetries": 0, "retryOn": {"triggers": [], "httpStatusCodes": []}}
    )
    triggers = set(retry["retryOn"]["triggers"])
    codes = {str(code) for code in retry["retryOn"]["httpStatusCodes"]}
    assert ("retriable-status-codes" in triggers) == bool(codes)
    broken = {"connect-failure", "refused-stream", "reset"} <= triggers
    assert not triggers & {"5xx", "gateway-error"}  # They would retry timeouts.
    limits = [
        each["limit"]
        for each in backend_policy.get("rateLimit", {}).get("local", {}).get("rules", [])
    ]
    assert all(each["unit"] == "Second" for each in limits)
    matches = [each["path"] for each in rule(objects)["matches"]]
    return {
        "hosts": route(objects).get("hostnames", []),
        "backend": {(each["name"], each["port"]) for each in rule(objects)["backendRefs"]},
        "path": {(each["type"].removeprefix("Path"), each["value"]) for each in matches},
        "maximum body, bytes": int(backend_policy["requestBuffer"]["limit"]),
        "retry buffer, bytes": int(backend_policy["requestBuffer"]["limit"]),
        "tries": 1 + retry["numRetries"],
        "retried": codes | ({"connection error"} if broken else set()),
        "connect timeout, s": int(
            backend_policy["timeout"]["tcp"]["connectTimeout"].removesuffix("s")
        ),
        "requests per second": limits[0]["requests"] if limits else None,
        "certificates": sorted(
            (each["hostname"], each["tls"]["certificateRefs"][0]["name"])
            for each in gateway["spec"]["listeners"]
            if each["protocol"] == "HTTPS"
        ),
        "issuer": issuer(gateway),
    }


def issuer(object_: Object) -> dict[str, str]:
    annotations = object_["metadata"].get("annotations", {})
    return {key: value for key, value in annotations.items() if key.startswith("cert-manager")}


BYTES = 24 * 1024 * 1024 + 64 * 1024
ALL = {"connection error", "429", "502", "503"}
TLS = {"expose": {"hosts": HOSTS, "tls": {"enabled": True}}}

# Values, and the settings expected of both.
EXPECTATIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        merge_values(TLS, {"expose": {"tls": {"secretNames": {HOSTS[1]: "b-tls"}}}}),
        {"certificates": [(HOSTS[0], "dctnet-tls"), (HOSTS[1], "b-tls")]},
    ),
    (
        {},
        {
            "hosts": [],
            "backend": {("dctnet", 80)},
            "path": {("Prefix", "/")},
            "maximum body, bytes": BYTES,
            "retry buffer, bytes": BYTES,
            "tries": 3,
            "retried": ALL,
            "connect timeout, s": 5,
            "requests per second": None,
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
            "timeouts": {"proxyConnect": 3},
            "requestLimits": {"bodyBytes": 1024},
        },
        {
            "hosts": HOSTS,
            "backend": {("dctnet", 8000)},
            "maximum body, bytes": 1024 + 64 * 1024,
            "tries": 1,
            "retried": set(),
            "connect timeout, s": 3,
            "requests per second": 50,
            "certificates": [],
            "issuer": {},
        },
    ),
    ({"expose": {"path": "/team/cartoons"}}, {"path": {("Prefix", "/team/cartoons")}}),
    (
        {
            "expose": {"hosts": ["*.example.org"], "retries": 1},
            "requestLimits": {"bodyBytes": 1073741824},
            "admission": {"maxWaitingBytes": 2147483648},
        },
        {"hosts": ["*.example.org"], "maximum body, bytes": 1073741824 + 64 * 1024, "tries": 2},
    ),
    (TLS, {"certificates": [(host, "dctnet-tls") for host in HOSTS], "issuer": {}}),
    (
        merge_values(TLS, {"expose": {"tls": {"secretName": "mine", "issuer": "ca"}}}),
        {
            "certificates": [(host, "mine") for host in HOSTS],
            "issuer": {"cert-manager.io/issuer": "ca"},
        },
    ),
    (
        merge_values(TLS, nest_value("expose.tls.clusterIssuer", "ca")),
        {"issuer": {"cert-manager.io/cluster-issuer": "ca"}},
    ),
]


@pytest.mark.promise(
    "Cluster: Ingress and HTTPRoute have equal settings and hide the management port"
)
@pytest.mark.parametrize(("values", "expected"), EXPECTATIONS)
def test_ingress_and_httproute_have_equal_settings(values, expected):
    objects = render_both(values)
    for settings in (ingress_settings(objects), route_settings(objects)):
        assert {name: settings[name] for name in expected} == expected


@pytest.mark.promise(
    "Cluster: Ingress and HTTPRoute have equal settings and hide the management port"
)
def test_expectations_cover_all_settings():
    expected = {name for _, settings in EXPECTATIONS for name in settings}
    assert (
        expected == ingress_settings(render_both()).keys() == route_settings(render_both()).keys()
    )


def test_replicas_know_their_path():
    settings = render_both(nest_value("expose.path", "/team/cartoons")).settings
    assert settings["DCTNET_PATH_PREFIX"] == "/team/cartoons"
    assert "DCTNET_PATH_PREFIX" not in render_both().settings


def test_ingress_path_can_be_a_pattern():
    own = {"ingress": {"path": "/cartoons/*", "pathType": "ImplementationSpecific"}}
    objects = render_both(own, nest_value("expose.path", "/cartoons"))
    assert ingress_settings(objects)["path"] == {("ImplementationSpecific", "/cartoons/*")}
    assert route_settings(objects)["path"] == {("Prefix", "/cartoons")}


def test_not_exposed_by_default():
    assert not render().kinds & {"Ingress", "HTTPRoute", "Gateway", "BackendTrafficPolicy"}


@pytest.mark.promise(
    "Cluster: Ingress and HTTPRoute have equal settings and hide the management port"
)
def test_management_port_is_not_exposed():
    objects = render_both({"service": {"type": "LoadBalancer"}})
    assert [port["name"] for port in objects.one("Service", "dctnet")["spec"]["ports"]] == ["http"]
    assert objects.one("Service", "dctnet-management")["spec"]["clusterIP"] == "None"
    for settings in (ingress_settings(objects), route_settings(objects)):
        assert {name for name, _ in settings["backend"]} == {"dctnet"}


def test_every_derived_annotation_follows_from_a_value():
    """The chart rejects them in `ingress.annotations` and refers to its values."""
    before, after = (
        render(merge_values(INGRESS, values)).one("Ingress")["metadata"]["annotations"]
        for values in (
            {},
            {
                "requestLimits": {"bodyBytes": 1024},
                "timeouts": {"proxyConnect": 6, "proxyRead": 70},
                "expose": {"retries": 0},
                "ingress": {"loadBalance": "round_robin", "requestBuffering": False},
            },
        )
    )
    assert len(before) >= 10
    assert [name for name, value in before.items() if after.get(name) == value] == []


def test_connection_limit_applies_to_ingress_nginx_only():
    limited = render_both(nest_value("expose.rateLimit.connections", 7))
    assert annotation(limited, "limit-connections") == "7"
    assert policy(limited) == policy(render_both())


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
def test_httproute_retries_follow_retry_policy(retry_policy, retries, expected):
    values = {"gateway": {"retryPolicy": retry_policy}, "expose": {"retries": retries}}
    objects = render(merge_values(GATEWAY, values))
    assert rule(objects).get("retry") == expected
    assert bool(objects.all("BackendTrafficPolicy")) == (retry_policy == "envoy")
    assert rule(objects)["timeouts"] == {"request": "70s"}


def test_passive_health_check_ejects_on_connection_failures_only():
    passive = policy(render_both())["healthCheck"]["passive"]
    assert passive["consecutiveLocalOriginFailures"] == 1
    assert passive["splitExternalLocalOriginErrors"] is True
    assert passive["consecutive5XxErrors"] == passive["consecutiveGatewayErrors"] == 0
    assert passive["maxEjectionPercent"] == 50


def test_httproute_attaches_to_parent_refs():
    parents = [{"name": "public", "namespace": "edge", "sectionName": "https"}]
    values = {"gateway": {"enabled": True, "parentRefs": parents}}
    objects = render(values)
    defaults = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    assert route(objects)["parentRefs"] == [defaults | parents[0]]
    assert not objects.all("Gateway")
    with_its_own = render(merge_values(values, GATEWAY))
    assert route(with_its_own)["parentRefs"] == [
        defaults | each for each in (*parents, {"name": "dctnet"})
    ]


def test_httproute_without_a_timeout():
    for retries in ({}, {"retryPolicy": "httproute"}):
        rules = rule(render_both({"gateway": {"timeouts": False} | retries}))
        assert "timeouts" not in rules
        assert rule(render_both({"gateway": retries})) == rules | {"timeouts": {"request": "70s"}}


def test_http_redirects_to_https_with_tls():
    objects = render_both(TLS)
    listeners = {each["name"]: each for each in objects.one("Gateway")["spec"]["listeners"]}
    assert set(listeners) == {"http", "https-0", "https-1"}
    parents = [(each["name"], each["sectionName"]) for each in route(objects)["parentRefs"]]
    assert parents == [("dctnet", "https-0"), ("dctnet", "https-1")]
    plain = objects.one("HTTPRoute", "dctnet-https")["spec"]
    (parent,) = plain["parentRefs"]
    assert (parent["name"], parent["sectionName"]) == ("dctnet", "http")
    assert plain["rules"][0]["filters"][0]["requestRedirect"]["scheme"] == "https"


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
def test_schema_rejects_invalid_proxy_settings():
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


def test_custom_annotations_and_labels():
    own = {"annotations": {"example.org/a": "1"}, "labels": {"team": "b"}}
    objects = render_both({"ingress": own, "gateway": own})
    for kind in ("Ingress", "HTTPRoute"):
        assert objects.one(kind)["metadata"]["annotations"]["example.org/a"] == "1"
        assert objects.one(kind)["metadata"]["labels"]["team"] == "b"


@pytest.mark.parametrize(("name", "expected"), [("", None), ("internal", "internal")])
def test_ingress_class(name, expected):
    objects = render_both(nest_value("ingress.className", name))
    assert objects.one("Ingress")["spec"].get("ingressClassName") == expected
