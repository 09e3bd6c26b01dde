"""Every guard of the chart: it rejects with its sentence, and one step beside it renders."""

import re
from functools import cache
from typing import Any

import pytest

from tests.support.chart import (
    APIS,
    CHART,
    DEMO,
    DIGEST,
    GATEWAY,
    IMAGE,
    INGRESS,
    Rejected,
    merged,
    render,
)

SCRAPED = {"metrics": {"podAnnotations": True}}
KEDA = {"autoscaling": {"metric": "keda", "keda": {"serverAddress": "http://p:9090"}}}
TLS = {"expose": {"tls": {"enabled": True}}}


def timeouts(**seconds: Any) -> dict[str, Any]:
    return {"timeouts": seconds}


def replicas(least: int, **budget: Any) -> dict[str, Any]:
    return {"autoscaling": {"minReplicas": least}, "podDisruptionBudget": budget}


def annotated(name: str, value: str) -> dict[str, Any]:
    return merged(INGRESS, {"ingress": {"annotations": {name: value}}})


def model(**values: Any) -> dict[str, Any]:
    return {"model": values}


# What is rejected, with a part of its sentence; what is one step beside it and renders.
GUARDS = {
    "watchdog as long as the request": (
        timeouts(request=20, watchdog=20),
        "timeouts.watchdog is 20 s, but it must be less than timeouts.request, which is 20 s",
        timeouts(request=20, watchdog=19.9),
    ),
    "proxy reads no longer than the request": (
        timeouts(proxyRead=60),
        "timeouts.proxyRead is 60 s, but it must be more than timeouts.request, 60 s",
        timeouts(proxyRead=61),
    ),
    "request longer than what the proxy was told": (
        timeouts(request=90.5, proxyRead=90),
        "timeouts.proxyRead is 90 s, but it must be more than timeouts.request, 90.5 s",
        timeouts(request=90.5, proxyRead=91),
    ),
    "all tries shorter than one": (
        timeouts(proxyTotal=64),
        "timeouts.proxyTotal is 64 s, but it must be at least timeouts.proxyRead, 65 s",
        timeouts(proxyTotal=65),
    ),
    "grace as long as the drain": (
        timeouts(terminationGracePeriod=75),
        "timeouts.terminationGracePeriod is 75 s, but it must be more than",
        timeouts(terminationGracePeriod=76),
    ),
    "drain as long as the grace": (
        timeouts(drainDelay=30, terminationGracePeriod=95),
        "timeouts.drainDelay + timeouts.request + 5, 95 s",
        timeouts(drainDelay=29, terminationGracePeriod=95),
    ),
    "drain no longer than the ingress controller's delay": (
        merged(INGRESS, timeouts(drainDelay=5)),
        "timeouts.drainDelay is 5 s, but it must be more than 5 s behind an ingress or a gateway",
        merged(INGRESS, timeouts(drainDelay=5.5)),
    ),
    "drain no longer than the gateway's delay": (
        merged(GATEWAY, timeouts(drainDelay=0)),
        "timeouts.drainDelay is 0 s, but it must be more than 5 s",
        timeouts(drainDelay=0),
    ),
    "clients of an ingress that all have its address": (
        merged(INGRESS, {"fairness": {"by": "address"}}),
        "fairness.by is address, but all clients have that of the proxy unless",
        merged(INGRESS, {"fairness": {"by": "address", "trustedProxies": ["10.244.0.0/16"]}}),
    ),
    "clients of a gateway that all have its address": (
        merged(GATEWAY, {"fairness": {"by": "address"}}),
        "fairness.trustedProxies names its network",
        {"fairness": {"by": "address"}},
    ),
    "fewer replicas at most than at least": (
        {"autoscaling": {"minReplicas": 7}},
        "autoscaling.minReplicas is 7, but autoscaling.maxReplicas only 6",
        {"autoscaling": {"minReplicas": 6}},
    ),
    "KEDA with nothing that scrapes": (
        KEDA,
        "autoscaling.metric is keda, but nothing scrapes the replicas",
        merged(SCRAPED, KEDA),
    ),
    "KEDA without Prometheus": (
        merged(SCRAPED, {"autoscaling": {"metric": "keda"}}),
        "autoscaling.keda.serverAddress does not say where Prometheus is",
        merged(SCRAPED, {"autoscaling": {"metric": "keda", "enabled": False}}),
    ),
    "budget that keeps all replicas": (
        replicas(2, minAvailable=2),
        "podDisruptionBudget.minAvailable is 2 of as few as 2 replicas",
        replicas(3, minAvailable=2),
    ),
    "budget that keeps a single replica": (
        replicas(1, minAvailable=1),
        "podDisruptionBudget.minAvailable is 1 of as few as 1 replicas",
        replicas(1, minAvailable=0),
    ),
    "budget whose percents keep all replicas": (
        replicas(2, minAvailable="51%"),
        "podDisruptionBudget.minAvailable is 51% of as few as 2 replicas",
        replicas(2, minAvailable="50%"),
    ),
    "budget that keeps all of a fixed number": (
        merged({"autoscaling": {"enabled": False}}, replicas(9, minAvailable=2)),
        "podDisruptionBudget.minAvailable is 2 of as few as 2 replicas",
        merged({"autoscaling": {"enabled": False}, "replicaCount": 3}, replicas(2, minAvailable=2)),
    ),
    "budget that lets none be away": (
        replicas(2, maxUnavailable=0),
        "podDisruptionBudget.maxUnavailable allows no replica to be away",
        replicas(2, maxUnavailable=1),
    ),
    "budget that lets no percent be away": (
        replicas(2, maxUnavailable="0%"),
        "podDisruptionBudget.maxUnavailable allows no replica to be away",
        replicas(2, maxUnavailable="1%"),
    ),
    "budget without either": (
        replicas(2, maxUnavailable=None),
        "podDisruptionBudget.maxUnavailable allows no replica to be away",
        replicas(2, maxUnavailable=None, enabled=False),
    ),
    "request over the limit": (
        {"resources": {"requests": {"cpu": "2001m"}}},
        "resources.requests.cpu is 2001m, but it must not be over the limit, which is 2",
        {"resources": {"requests": {"cpu": "2000m"}}},
    ),
    "request of memory over the limit": (
        {"resources": {"requests": {"memory": "2049Mi"}, "limits": {"memory": "2Gi"}}},
        "resources.requests.memory is 2049Mi, but it must not be over the limit, which is 2Gi",
        {"resources": {"requests": {"memory": "2048Mi"}, "limits": {"memory": "2Gi"}}},
    ),
    "preparing that requests over its limit": (
        model(prepare={"resources": {"limits": {"memory": "1Gi"}}}),
        "model.prepare.resources.requests.memory is 2Gi, but it must not be over the limit",
        model(prepare={"resources": {"limits": {"memory": "2Gi"}}}),
    ),
    "digest of the demo model": (
        model(source="demo", digest=DIGEST),
        "model.digest pins a model folder, but the demo model is part of the image",
        DEMO,
    ),
    "preparing with the image that cannot": (
        {"image": {"variant": "runtime"}},
        "image.variant is runtime, but with model.source modelscope each pod prepares the model",
        merged(
            {"image": {"variant": "runtime"}}, model(cache={"existingClaim": "m", "prepared": True})
        ),
    ),
    "claim without a name": (
        model(source="existingClaim"),
        "model.source is existingClaim, but model.existingClaim.name names none",
        model(source="existingClaim", existingClaim={"name": "models"}),
    ),
    "image volume by its tag": (
        merged(IMAGE, model(image={"reference": "models/anime:1"})),
        'model.image.reference is "models/anime:1", but it must be pinned by a digest',
        IMAGE,
    ),
    "prepared cache without a claim": (
        model(cache={"prepared": True}),
        "model.cache.prepared says that a claim holds the prepared model",
        model(cache={"prepared": True, "existingClaim": "models"}),
    ),
    "cache that is both made and there": (
        model(cache={"create": True, "existingClaim": "models"}),
        "model.cache.create makes a claim, but model.cache.existingClaim names one",
        model(cache={"create": True}),
    ),
    "HTTPS without hosts": (
        TLS,
        "expose.tls.enabled needs expose.hosts",
        merged(TLS, {"expose": {"hosts": ["a.example.org"]}}),
    ),
    "two issuers": (
        {"expose": {"tls": {"issuer": "a", "clusterIssuer": "b"}}},
        "expose.tls.issuer and expose.tls.clusterIssuer are both set",
        {"expose": {"tls": {"issuer": "a"}}},
    ),
    "route without a Gateway": (
        {"gateway": {"enabled": True}},
        "gateway.enabled needs gateway.parentRefs",
        GATEWAY,
    ),
    "Gateway without a class": (
        {"gateway": {"enabled": True, "create": True}},
        "gateway.create needs gateway.className",
        {"gateway": {"enabled": True, "create": True, "className": "envoy"}},
    ),
    "annotation that the chart sets": (
        annotated("nginx.ingress.kubernetes.io/proxy-body-size", "1m"),
        "ingress.annotations sets nginx.ingress.kubernetes.io/proxy-body-size, which the chart",
        annotated("nginx.ingress.kubernetes.io/enable-cors", "true"),
    ),
    "two monitors": (
        {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
        "metrics.serviceMonitor and metrics.podMonitor are both enabled",
        {"metrics": {"podMonitor": {"enabled": True}}},
    ),
}

CUSTOM_METRICS = (*APIS, "custom.metrics.k8s.io/v1beta2")
LOAD = {"autoscaling": {"metric": "load"}}

# Those that depend on more than values, with what they are rendered for.
ELSEWHERE = {
    "image volume on an old cluster": (
        (IMAGE, {"kubernetes": "1.35.9"}),
        "model.source is image, but image volumes need Kubernetes 1.36, and this is v1.35.9",
        (IMAGE, {"kubernetes": "1.36.0"}),
    ),
    "load that the cluster does not serve": (
        (merged(SCRAPED, LOAD), {}),
        "autoscaling.metric is load, but the cluster serves no custom metrics",
        (merged(SCRAPED, LOAD), {"apis": CUSTOM_METRICS}),
    ),
    "load that nothing scrapes": (
        (LOAD, {"apis": CUSTOM_METRICS}),
        "autoscaling.metric is load, but nothing scrapes the replicas",
        (merged(SCRAPED, LOAD), {"apis": CUSTOM_METRICS}),
    ),
    "release whose name begins with a digit": (
        ({}, {"release": "1st"}),
        "the objects would be called 1st-dctnet, but a Service's name begins with a letter",
        ({"fullnameOverride": "first"}, {"release": "1st"}),
    ),
    "release with a dot": (
        ({}, {"release": "a.b"}),
        "the objects would be called a.b-dctnet, but a Service's name begins with a letter",
        ({"fullnameOverride": "ab"}, {"release": "a.b"}),
    ),
}

CASES = ELSEWHERE | {
    name: ((values, {}), part, (beside, {})) for name, (values, part, beside) in GUARDS.items()
}


@cache
def sentence(case: str) -> str:
    (values, cluster), _, _ = CASES[case]
    with pytest.raises(Rejected) as rejected:
        render(values, **cluster)
    return str(rejected.value)


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
@pytest.mark.parametrize("case", CASES)
def test_a_guard_rejects_with_its_sentence(case):
    assert CASES[case][1] in sentence(case)
    assert sentence(case).endswith(".")


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
@pytest.mark.parametrize("case", CASES)
def test_one_step_beside_it_renders(case):
    values, cluster = CASES[case][2]
    assert render(values, **cluster).deployment


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
def test_every_guard_of_the_templates_is_among_these():
    written = "".join(file.read_text() for file in CHART.glob("templates/*.*"))
    guards = re.findall(r'fail (?:\(printf )?"(dctnet: [^"]*)"', written)
    assert len(guards) == len(re.findall(r"\bfail\b", written))
    seen = [sentence(case) for case in CASES]
    for guard in guards:
        pattern = re.sub("%[a-z]", ".*", re.escape(guard).replace("\\%", "%"))
        assert any(re.fullmatch(pattern, each) for each in seen), guard
