"""Profiles in ci/: valid, by strict schemas, on four versions of Kubernetes."""

import json
import re

import pytest
import yaml

from tests.chart.schemas import MINORS
from tests.support.chart import (
    CHART,
    DEMO,
    IMAGE,
    PROFILES,
    SCHEMAS,
    Objects,
    missing_defaults,
    render,
    run_tool,
    schema_errors,
)
from tests.support.kubernetes import validation_errors


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
def test_kubeconform_accepts_all_profiles(tmp_path):
    total = 0
    for minor in MINORS:
        folder = tmp_path / minor
        folder.mkdir()
        for name in [None, *PROFILES]:
            objects = render(profile=name, kubernetes=f"{minor}.0")
            total += len(list(objects))
            (folder / f"{name}.yaml").write_text("\n---\n".join(map(json.dumps, objects)))
        options = ["-strict", "-summary", "-output", "json", "-kubernetes-version", f"{minor}.0"]
        run = run_tool("kubeconform", *options, "-schema-location", SCHEMAS, folder)
        report = json.loads(run.stdout)
        assert report.get("resources") in (None, []), run.stdout
        assert run.returncode == 0
        summary = report["summary"]
        assert summary["skipped"] == summary["errors"] == summary["invalid"] == 0
        total -= summary["valid"]
    assert total == 0  # All objects were validated.


def test_profiles_pass_api_server_checks():
    for name in PROFILES:
        assert validation_errors(render(profile=name)) == [], name


def test_image_volume_is_valid_on_supported_versions():
    objects = render(IMAGE)
    assert schema_errors(objects, "1.36") == schema_errors(objects, "1.37") == []


def test_kubernetes_schemas_reject_misspelled_fields():
    profiles = [each for name in PROFILES for each in render(profile=name)]
    kinds = set()
    for each in profiles:
        kinds.add(each["kind"])
        part = "spec" if "spec" in each else "metadata"
        each[part]["nonesuch"] = 1
        assert any("nonesuch" in fault for fault in schema_errors(Objects([each]))), each["kind"]
    assert len(kinds) >= 14


CUSTOM_RESOURCES = {
    *("BackendTrafficPolicy", "Gateway", "HTTPRoute"),
    *("PodMonitor", "PrometheusRule", "ScaledObject", "ServiceMonitor"),
}


@pytest.mark.parametrize(
    "gateway",
    [
        {"create": True, "className": "envoy", "retryPolicy": "envoy"},
        {"create": True, "className": "envoy", "retryPolicy": "httproute"},
        {"parentRefs": [{"name": "own"}, {"name": "list", "kind": "ListenerSet"}]},
    ],
)
@pytest.mark.parametrize("tls", [True, False])
def test_custom_resources_have_the_defaults_of_their_api(gateway, tls):
    """Else Argo CD reports a difference after each sync."""
    monitor = {"enabled": True}
    values = {
        "expose": {"hosts": ["a.example.org"], "tls": {"enabled": tls}},
        "gateway": {"enabled": True} | gateway,
        "metrics": {"prometheusRule": monitor, "podMonitor": monitor},
        "autoscaling": {"metric": "keda", "keda": {"serverAddress": "http://p:9090"}},
    }
    custom = [each for each in render(values) if each["kind"] in CUSTOM_RESOURCES]
    assert {each["kind"] for each in custom} >= {"HTTPRoute", "PrometheusRule", "ScaledObject"}
    # Older releases of Envoy Gateway lack this field, and server-side apply fails for a field that
    # is unknown.
    later = "BackendTrafficPolicy.healthCheck.passive.alwaysEjectOneEndpoint"
    assert {path for each in custom for path in missing_defaults(each)} <= {later}


def test_kube_version_constraint():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    oldest = min(MINORS, key=lambda minor: int(minor.partition(".")[2]))
    assert chart["kubeVersion"] == f">={oldest}.0-0"
    with pytest.raises(AssertionError, match="chart requires kubeVersion"):
        render(kubernetes="1.28.15")
    assert render(DEMO, kubernetes="1.29.0-gke.100").deployment


def test_profiles_name_no_image_registry():
    for profile in CHART.glob("ci/*"):
        assert not re.search(r"registry: \S+\.", profile.read_text())
