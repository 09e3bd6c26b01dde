"""Values that set one field of an object: where each is rendered, and that it is not by default."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.schemas import MINORS
from tests.support.chart import (
    CHART,
    DEMO,
    SCHEMAS,
    Object,
    Objects,
    merge_values,
    nest_value,
    render,
    run_tool,
)
from tests.support.kubernetes import validation_errors

# Features that are off by default; they render each kind of object that has fields below.
BASE = {
    "autoscaling": {"metric": "keda", "keda": {"serverAddress": "http://prometheus:9090"}},
    "gateway": {"enabled": True, "create": True, "className": "envoy"},
    "metrics": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "model": {"source": "modelscope", "cache": {"create": True}},
    "service": {"type": "LoadBalancer"},
}
POD_MONITOR = {
    "metrics": {"serviceMonitor": {"enabled": False}, "podMonitor": {"enabled": True}},
}

POD = "Deployment spec.template.spec"
SERVICE = "Service/dctnet spec"
CLAIM = "PersistentVolumeClaim spec"
TRIGGER = "ScaledObject spec.triggers.0"
ANNOTATIONS = {"example.org/a": "b"}
CRON = {"type": "cron", "metadata": {"timezone": "UTC", "start": "0 8 * * *"}}
GROUP = {"name": "images", "rules": [{"record": "dctnet:slots:sum", "expr": "sum(dctnet_slots)"}]}
DNS = {"nameservers": ["10.0.0.10"], "options": [{"name": "ndots", "value": "2"}]}
ALIASES = [{"ip": "10.0.0.1", "hostnames": ["hub.example.org"]}]
HOOKS = {"postStart": {"exec": {"command": ["true"]}}, "preStop": {"sleep": {"seconds": 5}}}
INFRASTRUCTURE = {
    "labels": {"a": "b"},
    "annotations": {"example.org/internal": "true"},
    "parametersRef": {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "proxy"},
}
SELECTOR = {"matchLabels": {"models": "dctnet"}}
TLS = {"ca": {"secret": {"name": "mesh", "key": "ca.crt"}}, "serverName": "dctnet"}

# Value, and the field that it sets.
FIELDS: list[tuple[str, Any, str]] = [
    ("deploymentAnnotations", ANNOTATIONS, "Deployment metadata.annotations"),
    ("minReadySeconds", 7, "Deployment spec.minReadySeconds"),
    ("schedulerName", "batch", f"{POD}.schedulerName"),
    ("hostUsers", False, f"{POD}.hostUsers"),
    ("dnsPolicy", "None", f"{POD}.dnsPolicy"),
    ("dnsConfig", DNS, f"{POD}.dnsConfig"),
    ("hostAliases", ALIASES, f"{POD}.hostAliases"),
    ("lifecycle", HOOKS, f"{POD}.containers.0.lifecycle"),
    ("service.clusterIP", "10.96.0.99", f"{SERVICE}.clusterIP"),
    ("service.externalTrafficPolicy", "Local", f"{SERVICE}.externalTrafficPolicy"),
    ("service.internalTrafficPolicy", "Local", f"{SERVICE}.internalTrafficPolicy"),
    ("service.trafficDistribution", "PreferClose", f"{SERVICE}.trafficDistribution"),
    ("service.sessionAffinity", "ClientIP", f"{SERVICE}.sessionAffinity"),
    (
        "service.sessionAffinityTimeoutSeconds",
        86400,
        f"{SERVICE}.sessionAffinityConfig.clientIP.timeoutSeconds",
    ),
    ("service.loadBalancerClass", "example.org/nlb", f"{SERVICE}.loadBalancerClass"),
    ("service.loadBalancerSourceRanges", ["10.0.0.0/8"], f"{SERVICE}.loadBalancerSourceRanges"),
    ("model.cache.annotations", ANNOTATIONS, "PersistentVolumeClaim metadata.annotations"),
    ("model.cache.labels", {"a": "b"}, "PersistentVolumeClaim metadata.labels"),
    ("model.cache.selector", SELECTOR, f"{CLAIM}.selector"),
    ("model.cache.volumeName", "models", f"{CLAIM}.volumeName"),
    ("gateway.gatewayAnnotations", ANNOTATIONS, "Gateway metadata.annotations"),
    ("gateway.gatewayLabels", {"a": "b"}, "Gateway metadata.labels"),
    ("gateway.infrastructure", INFRASTRUCTURE, "Gateway spec.infrastructure"),
    ("autoscaling.keda.annotations", ANNOTATIONS, "ScaledObject metadata.annotations"),
    ("autoscaling.keda.authenticationRef.name", "basic", f"{TRIGGER}.authenticationRef.name"),
    (
        "autoscaling.keda.authenticationRef.kind",
        "ClusterTriggerAuthentication",
        f"{TRIGGER}.authenticationRef.kind",
    ),
    ("autoscaling.keda.metadata", {"authModes": "basic"}, f"{TRIGGER}.metadata"),
    ("autoscaling.keda.additionalTriggers.0", CRON, "ScaledObject spec.triggers.1"),
    ("metrics.prometheusRule.namespace", "monitoring", "PrometheusRule metadata.namespace"),
    ("metrics.prometheusRule.annotations", ANNOTATIONS, "PrometheusRule metadata.annotations"),
    ("metrics.prometheusRule.additionalGroups.0", GROUP, "PrometheusRule spec.groups.6"),
    ("metrics.serviceMonitor.targetLabels", ["team"], "ServiceMonitor spec.targetLabels"),
    *(
        (f"metrics.{value}.{field}", setting, f"{value[0].upper()}{value[1:]} {place}")
        for value, endpoint in (
            ("serviceMonitor", "spec.endpoints.0"),
            ("podMonitor", "spec.podMetricsEndpoints.0"),
        )
        for field, setting, place in (
            ("namespace", "monitoring", "metadata.namespace"),
            ("annotations", ANNOTATIONS, "metadata.annotations"),
            ("honorLabels", True, f"{endpoint}.honorLabels"),
            ("jobLabel", "example.org/job", "spec.jobLabel"),
            ("podTargetLabels", ["version"], "spec.podTargetLabels"),
            ("sampleLimit", 1000000, "spec.sampleLimit"),
            ("scheme", "https", f"{endpoint}.scheme"),
            ("tlsConfig", TLS, f"{endpoint}.tlsConfig"),
        )
    ),
]
NEWER = ("lifecycle", "service.trafficDistribution")
"""Values that the oldest supported version of Kubernetes lacks."""


def values(minor: str) -> Iterator[dict[str, Any]]:
    """Yield each value of the table for a minor version, nested."""
    for path, value, _ in FIELDS:
        is_item = path.endswith(".0")
        if minor != MINORS[0] or path not in NEWER:
            yield nest_value(path.removesuffix(".0"), [value] if is_item else value)


def objects(*layers: dict[str, Any], minor: str = "1.36") -> tuple[Objects, Objects]:
    """Render values over the base, with a ServiceMonitor and with a PodMonitor."""
    by_service, by_pod = (
        render(merge_values(base, *layers), kubernetes=f"{minor}.0", release="cartoons")
        for base in (BASE, merge_values(BASE, POD_MONITOR))
    )
    return by_service, by_pod


def field(rendered: Objects, place: str) -> Any:
    """Return the field at a place such as ``Service/NAME spec.type``, or None."""
    kind, path = place.split()
    kind, _, name = kind.partition("/")
    result: Any = rendered.one(kind, f"cartoons-{name}" if name else None)
    for key in path.split("."):
        if isinstance(result, list):
            result = result[int(key)] if int(key) < len(result) else None
        else:
            result = (result or {}).get(key)
    return result


@pytest.mark.parametrize(("path", "value", "place"), FIELDS, ids=[each[0] for each in FIELDS])
def test_value_sets_its_field(path, value, place):
    is_pod_monitor = place.startswith("PodMonitor")
    default, changed = (objects(*each)[is_pod_monitor] for each in ([], values("1.36")))
    before, after = field(default, place), field(changed, place)
    if isinstance(value, dict) and path != "lifecycle":  # Merged into those of the chart.
        assert not value.items() <= (before or {}).items()
        assert after.items() >= value.items()
    else:
        assert before != value
        assert after == value


def test_fields_are_valid_on_every_minor(tmp_path):
    for minor in MINORS:
        folder = tmp_path / minor
        folder.mkdir()
        for name, rendered in zip(
            ("service", "pod"), objects(*values(minor), minor=minor), strict=True
        ):
            assert validation_errors(rendered) == []
            (folder / f"{name}.yaml").write_text("\n---\n".join(map(json.dumps, rendered)))
        options = ["-strict", "-output", "json", "-kubernetes-version", f"{minor}.0"]
        run = run_tool("kubeconform", *options, "-schema-location", SCHEMAS, folder)
        assert json.loads(run.stdout).get("resources") in (None, []), run.stdout
        assert run.returncode == 0


def test_fields_are_equal_in_both_majors_of_helm():
    layers = (BASE, *values("1.36"))
    first, second = (list(render(merge_values(*layers), helm=helm)) for helm in ("helm", "helm3"))
    assert first == second


def test_rendering_is_deterministic():
    text = json.dumps(merge_values(BASE, *values("1.36")))
    command = ("helm", "template", "dctnet", CHART, "--kube-version", "1.36.0", "--values", "-")
    first, second = (run_tool(*command, input=text) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_replicas_alone_have_the_dns_settings():
    """The pod of `helm test` resolves the names of Services."""
    rendered, _ = objects(*values("1.36"))
    assert not {"dnsPolicy", "dnsConfig", "hostAliases"} & rendered.one("Pod")["spec"].keys()


def test_created_claim_is_kept_unless_disabled():
    for keep, expected in ((True, "keep"), (False, None)):
        cache = {"source": "modelscope", "cache": {"create": True, "keep": keep}}
        claim = render({"model": cache}).one("PersistentVolumeClaim")
        annotations = claim["metadata"].get("annotations", {})
        assert annotations.get("helm.sh/resource-policy") == expected


def test_headless_service():
    spec = render(merge_values(DEMO, {"service": {"clusterIP": "None", "port": 8080}})).one(
        "Service", "dctnet"
    )["spec"]
    assert (spec["clusterIP"], spec["ports"][0]["port"]) == ("None", 8080)


def test_labels_of_the_created_gateway_are_its_own():
    rendered, _ = objects(*values("1.36"))
    for place in ("HTTPRoute metadata.labels", "HTTPRoute metadata.annotations"):
        assert "a" not in (field(rendered, place) or {})


def test_monitors_in_another_namespace_select_that_of_the_release():
    placed = {"enabled": True, "namespace": "monitoring"}
    metrics = {"metrics": {"serviceMonitor": placed, "prometheusRule": placed}}
    found: list[Object] = []
    for namespace in ("images", "more"):
        for release in ("a", "b"):
            rendered = render(metrics, namespace=namespace, release=release)
            monitor = rendered.one("ServiceMonitor")
            assert monitor["spec"]["namespaceSelector"] == {"matchNames": [namespace]}
            found += [monitor, rendered.one("PrometheusRule")]
    assert {each["metadata"]["namespace"] for each in found} == {"monitoring"}
    assert len({(each["kind"], each["metadata"]["name"]) for each in found}) == 8
    assert "namespaceSelector" not in render(BASE).one("ServiceMonitor")["spec"]


def test_namespace_override_replaces_the_namespace_everywhere():
    everything = merge_values(
        BASE,
        {
            "namespaceOverride": "cartoons",
            "metrics": {"dashboards": {"enabled": True}, "serviceMonitor": {"namespace": "m"}},
            "tracing": {"endpoint": "http://collector:4318"},
            "expose": {"hosts": ["a.example.org"], "tls": {"enabled": True}},
            "ingress": {"enabled": True},
        },
    )
    rendered = render(everything, namespace="release-namespace")
    assert len(rendered.kinds) >= 14
    assert "release-namespace" not in json.dumps(list(rendered))
    assert {each["metadata"]["namespace"] for each in rendered} == {"cartoons", "m"}
    selector = {"matchNames": ["cartoons"]}
    assert rendered.one("ServiceMonitor")["spec"]["namespaceSelector"] == selector
    (trigger,) = rendered.one("ScaledObject")["spec"]["triggers"]
    assert 'namespace="cartoons"' in trigger["metadata"]["query"]
