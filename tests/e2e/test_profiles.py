"""Chart profiles: install, `helm test`, uninstall."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from dctnet.api_keys import MIN_LENGTH
from tests.e2e import pods
from tests.e2e.cluster import Namespace, Release, is_ready, kubectl, namespace, until
from tests.e2e.pod_watch import watch_pods

REQUIRED_FEATURES = {"gateway": ["gateway"], "monitoring": ["monitoring", "keda"]}
"""Cluster features that a profile needs, by profile name."""

COPY_STYLES = f"""
import importlib.resources, shutil
shipped = importlib.resources.files("dctnet") / "models" / "shipped"
for style in ("comic", "sketch"):
    for folder in (style, "common"):
        shutil.copytree(shipped / folder, f"{pods.CLAIM_PATH}/styles/{{style}}", dirs_exist_ok=True)
"""


PRINT_CHECKS = """
from urllib.request import urlopen
print(urlopen("http://localhost:9090/readyz?verbose").read().decode())
"""
"""Prints the checks of a replica, in its container."""


def name_of(profile: Path) -> str:
    return profile.name.removesuffix("-values.yaml")


PROFILES = [
    pytest.param(
        path,
        id=name_of(path),
        marks=[pytest.mark.needs(part) for part in REQUIRED_FEATURES.get(name_of(path), [])],
    )
    for path in sorted((Release.chart / "ci").glob("*-values.yaml"))
]


def fill_claim(namespace: Namespace, image: str) -> None:
    """Create the claim of the air-gapped profile, and copy two models to it."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "cartoon-models"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(claim))
    pods.start(namespace, image, "fill", COPY_STYLES, claim="cartoon-models")
    pods.output(namespace, "fill")


def create_api_keys(namespace: Namespace, _: str) -> None:
    keys = f"--from-literal=keys={secrets.token_hex(MIN_LENGTH)}"
    namespace.kubectl("create", "secret", "generic", "cartoon-keys", keys)


PREREQUISITES: dict[str, Callable[[Namespace, str], None]] = {
    "airgapped": fill_claim,
    "restricted": create_api_keys,
}
"""Set-up before a profile is installed, by profile name."""


def test_profiles_exist():
    assert len(PROFILES) >= 6


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
@pytest.mark.parametrize("profile", PROFILES)
def test_profile_installs_passes_helm_test_and_uninstalls_completely(
    profile, image, demo, record_result
):
    with namespace("dctnet-e2e") as own_namespace:
        if prepare := PREREQUISITES.get(name_of(profile)):
            prepare(own_namespace, image)
        before = own_namespace.objects()
        release = Release(own_namespace, {"image": demo["image"]}, profile)
        with watch_pods(own_namespace, release.selector) as seen:
            seconds = release.install()
        replicas = release.pods()
        assert replicas
        assert all(is_ready(pod) for pod in replicas)
        for pod in release.ready_pods():
            checks = own_namespace.kubectl("exec", pod, "--", pods.PYTHON, "-c", PRINT_CHECKS)
            assert "restricted by seccomp and resource limits" in checks
        output = release.test()
        assert "Succeeded" in output
        manifest = release.helm("get", "manifest", release.name)
        release.uninstall()
        until(lambda: own_namespace.objects() <= before, "uninstalling leaves objects")
        # Includes cluster-scoped objects and other namespaces.
        left = kubectl("get", "--filename=-", "--ignore-not-found", "--output=name", stdin=manifest)
        assert left == ""
    slowest = max(seen.seconds())
    record_result(
        "install", {"replicas": len(replicas), "seconds": seconds, "slowest_pod_s": slowest}
    )
