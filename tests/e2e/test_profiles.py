"""Each profile of the chart installs, passes `helm test`, and leaves nothing behind."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from dctnet.api_keys import MIN_LENGTH
from tests.e2e import pods
from tests.e2e.cluster import Namespace, Release, is_ready, kubectl, namespace, until
from tests.e2e.pod_watch import watching

NEEDS = {"gateway": ["gateway"], "monitoring": ["monitoring", "keda"]}
"""What a cluster must have that a profile is installed in, by the profile's name."""

COPY_DEMO = f"""
import importlib.resources, shutil
demo = importlib.resources.files("dctnet") / "models" / "demo"
shutil.copytree(demo, "{pods.CLAIM}/demo-converted")
"""


def name_of(profile: Path) -> str:
    return profile.name.removesuffix("-values.yaml")


PROFILES = [
    pytest.param(
        path,
        id=name_of(path),
        marks=[pytest.mark.needs(part) for part in NEEDS.get(name_of(path), [])],
    )
    for path in sorted((Release.chart / "ci").glob("*-values.yaml"))
]


def fill_claim(namespace: Namespace, image: str) -> None:
    """Make the claim of the profile without a way out, and put a model on it."""
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
    pods.start(namespace, image, "fill", COPY_DEMO, claim="cartoon-models")
    pods.output(namespace, "fill")


def make_keys(namespace: Namespace, _: str) -> None:
    keys = f"--from-literal=keys={secrets.token_hex(MIN_LENGTH)}"
    namespace.kubectl("create", "secret", "generic", "cartoon-keys", keys)


BEFORE: dict[str, Callable[[Namespace, str], None]] = {
    "airgapped": fill_claim,
    "restricted": make_keys,
}
"""What must be there before a profile is installed, by the profile's name."""


def test_there_are_profiles():
    assert len(PROFILES) >= 6


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_installs_and_passes_its_test_and_leaves_nothing(profile, image, demo, note):
    with namespace("dctnet-e2e") as fresh:
        if prepare := BEFORE.get(name_of(profile)):
            prepare(fresh, image)
        before = fresh.objects()
        release = Release(fresh, {"image": demo["image"]}, profile)
        with watching(fresh, release.selector) as seen:
            seconds = release.install()
        replicas = release.pods()
        assert replicas
        assert all(is_ready(pod) for pod in replicas)
        said = release.test()
        assert "Succeeded" in said
        manifest = release.helm("get", "manifest", release.name)
        release.uninstall()
        until(lambda: fresh.objects() <= before, "uninstalling leaves objects")
        # Cluster-wide ones too, and those in other namespaces.
        left = kubectl("get", "--filename=-", "--ignore-not-found", "--output=name", stdin=manifest)
        assert left == ""
    slowest = max(seen.seconds())
    note("install", {"replicas": len(replicas), "seconds": seconds, "slowest_pod_s": slowest})
