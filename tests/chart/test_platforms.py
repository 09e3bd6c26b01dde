"""Values of the pages in docs/platforms/: valid objects, with what each page promises."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import yaml

from tests.chart.schemas import MINORS
from tests.support.chart import MODELSCOPE, SCHEMAS, Objects, render, run_tool
from tests.support.kubernetes import parse_quantity, pods, validation_errors
from tests.support.markdown import blocks
from tests.support.repo import ROOT

PLATFORMS = ROOT / "docs/platforms"
PAGES = sorted(path.stem for path in PLATFORMS.glob("*.md"))
WITHOUT_SCHEMA = {"GCPBackendPolicy", "HealthCheckPolicy", "Route"}
"""Kinds of platforms that publish no schema; the pages say so."""

MAX_LINES = 65


@cache
def values_of(page: str) -> dict[str, Any]:
    """Return the values of a page's only YAML block."""
    (block,) = blocks(PLATFORMS / f"{page}.md", "yaml")
    values = yaml.safe_load(block.text)
    return values["spec"]["source"]["helm"]["valuesObject"] if page == "argocd" else values


def rendered(page: str) -> Objects:
    return render(values_of(page))


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec["containers"], *spec.get("initContainers", [])]


def has_rule(objects: Objects, direction: str, port: int, peer: str) -> bool:
    """Whether the NetworkPolicy admits a port of a peer, by the text of the peer's selector."""
    peers = {"ingress": "from", "egress": "to"}[direction]
    return any(
        port in {each["port"] for each in rule["ports"]} and peer in json.dumps(rule.get(peers, []))
        for rule in objects.one("NetworkPolicy")["spec"][direction]
    )


def test_all_objects_are_valid(tmp_path):
    total = 0
    for page in PAGES:
        objects = rendered(page)
        assert validation_errors(objects) == [], page
        known = [each for each in objects if each["kind"] not in WITHOUT_SCHEMA]
        total += len(known)
        (tmp_path / f"{page}.yaml").write_text("\n---\n".join(map(json.dumps, known)))
    newest = f"{MINORS[-1]}.0"
    options = ["-strict", "-summary", "-output", "json", "-kubernetes-version", newest]
    run = run_tool("kubeconform", *options, "-schema-location", SCHEMAS, tmp_path)
    assert run.returncode == 0, run.stdout
    summary = json.loads(run.stdout)["summary"]
    assert summary == {"valid": total, "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("page", PAGES)
def test_page_is_short_and_says_what_was_not_tried(page):
    text = (PLATFORMS / f"{page}.md").read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert "**Not tried" in text


def check_openshift(objects: Objects) -> None:
    """No pod asks for a user or a group."""
    found = list(pods(objects))
    assert len(found) == 2
    for _, spec in found:
        for each in [spec, *containers(spec)]:
            assert not each["securityContext"].keys() & {"runAsUser", "runAsGroup", "fsGroup"}
        assert spec["securityContext"]["runAsNonRoot"] is True
    route = objects.one("Route")
    service = objects.one("Service", route["spec"]["to"]["name"])
    (port,) = service["spec"]["ports"]
    assert route["spec"]["port"]["targetPort"] == port["name"]
    timeout = route["metadata"]["annotations"]["haproxy.router.openshift.io/timeout"]
    assert timeout == f"{proxy_read_s(objects)}s"


def proxy_read_s(objects: Objects) -> int:
    """Return the request timeout and 5 s."""
    return int(objects.settings["DCTNET_REQUEST_TIMEOUT"]) + 5


def check_istio(objects: Objects) -> None:
    """The injector's labels and annotations, the agent's and istiod's ports."""
    metadata = objects.pod["metadata"]
    assert metadata["labels"]["sidecar.istio.io/inject"] == "true"
    annotations = metadata["annotations"]
    assert annotations["prometheus.io/port"] == "9090"
    proxy = yaml.safe_load(annotations["proxy.istio.io/config"])
    drain = int(objects.settings["DCTNET_DRAIN_DELAY"]) + proxy_read_s(objects)
    assert proxy["terminationDrainDuration"] == f"{drain}s"
    assert has_rule(objects, "ingress", 15020, "monitoring")
    assert has_rule(objects, "egress", 15012, "istio-system")
    (port,) = objects.one("Service", "dctnet")["spec"]["ports"]
    assert (port["name"], port["appProtocol"]) == ("http", "http")


def check_linkerd(objects: Objects) -> None:
    """The injector's annotations, the timeout, the ports of proxy and control plane."""
    annotations = objects.pod["metadata"]["annotations"]
    assert annotations["linkerd.io/inject"] == "enabled"
    grace = int(annotations["config.linkerd.io/shutdown-grace-period"].removesuffix("s"))
    assert grace > objects.pod["spec"]["terminationGracePeriodSeconds"] == 80
    service = objects.one("Service", "dctnet")["metadata"]["annotations"]
    assert service["timeout.linkerd.io/request"] == f"{proxy_read_s(objects) + 5}s"
    assert has_rule(objects, "ingress", 4143, "podSelector")
    assert has_rule(objects, "ingress", 4191, "monitoring")
    for port in 8080, 8086, 8090:
        assert has_rule(objects, "egress", port, "linkerd")


def check_gke_autopilot(objects: Objects) -> None:
    """Limits equal requests, no node volumes, no timeout in the route."""
    spec = objects.pod["spec"]
    for container in containers(spec):
        resources = container["resources"]
        assert resources["requests"] == resources["limits"]
        gib = parse_quantity(resources["limits"]["memory"]) / 1024**3
        assert 1 <= gib / parse_quantity(resources["limits"]["cpu"]) <= 6.5
    limit = parse_quantity(objects.container["resources"]["limits"]["memory"])
    page = (PLATFORMS / "gke-autopilot.md").read_text()
    for values in {}, MODELSCOPE:
        auto = render(values).container["resources"]["limits"]["memory"]
        assert f"{int(auto.removesuffix('Mi')):,} MiB" in page
        assert limit >= parse_quantity(auto)
    for _, pod in pods(objects):
        assert not [each for each in pod["volumes"] if "hostPath" in each]
    assert not [rule for rule in objects.one("HTTPRoute")["spec"]["rules"] if "timeouts" in rule]
    for kind in "GCPBackendPolicy", "HealthCheckPolicy":
        target = objects.one(kind)["spec"]["targetRef"]
        assert objects.one(target["kind"], target["name"])
    policy = objects.one("GCPBackendPolicy")["spec"]["default"]
    assert policy["timeoutSec"] == proxy_read_s(objects)
    for network in "130.211.0.0/22", "35.191.0.0/16":
        assert has_rule(objects, "ingress", 8080, network)


def check_ipv6(objects: Objects) -> None:
    """Both families in each Service; trusted proxies of both."""
    for service in objects.all("Service"):
        assert service["spec"]["ipFamilyPolicy"] == "PreferDualStack"
        assert service["spec"]["ipFamilies"] == ["IPv6", "IPv4"]
    assert objects.settings["DCTNET_FAIRNESS"] == "address"
    assert objects.settings["DCTNET_TRUSTED_PROXIES"] == "10.244.0.0/16,fd00:10:244::/56"
    assert not objects.settings.keys() & {"DCTNET_BIND", "DCTNET_MANAGEMENT_BIND"}


def check_argocd(objects: Objects) -> None:
    """The replicas are the autoscaler's, no hooks, and API versions change nothing."""
    assert "replicas" not in objects.deployment["spec"]
    assert objects.one("HorizontalPodAutoscaler")
    assert "helm.sh/hook" not in json.dumps(list(objects))
    assert list(render(values_of("argocd"), apis=[])) == list(objects)
    application = yaml.safe_load((ROOT / "k8s/gitops/argocd.yaml").read_text())["spec"]
    (block,) = blocks(PLATFORMS / "argocd.md", "yaml")
    sync = yaml.safe_load(block.text)["spec"]["syncPolicy"]["syncOptions"]
    assert set(sync) <= set(application["syncPolicy"]["syncOptions"])


def check_private_ca(objects: Objects) -> None:
    """The file is mounted and named in every container that is a TLS client."""
    spec = objects.pod["spec"]
    found = containers(spec)
    assert [each["name"] for each in found] == ["dctnet", "fetch", "prepare"]
    for container in found:
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        variables = {each["name"]: each.get("value") for each in container["env"]}
        assert variables["REQUESTS_CA_BUNDLE"] == f"{mounts['private-ca']}/ca.crt"
    assert "private-ca" in {volume["name"] for volume in spec["volumes"]}
    assert objects.settings["OTEL_EXPORTER_OTLP_ENDPOINT"].startswith("https://")


CHECKS: dict[str, Callable[[Objects], None]] = {
    "argocd": check_argocd,
    "gke-autopilot": check_gke_autopilot,
    "ipv6": check_ipv6,
    "istio": check_istio,
    "linkerd": check_linkerd,
    "openshift": check_openshift,
    "private-ca": check_private_ca,
}


@pytest.mark.parametrize("page", PAGES)
def test_values_do_what_the_page_says(page):
    CHECKS[page](rendered(page))
