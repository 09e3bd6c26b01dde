"""Chart profiles: install, `helm test`, uninstall."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dctnet.api_keys import MIN_LENGTH
from dctnet.models.folder import open_folder
from dctnet.models.pins import Pin
from tests.e2e import pods, stub_hub
from tests.e2e.cluster import BOUND_S, Namespace, Release, is_ready, kubectl, namespace, until
from tests.e2e.pod_watch import watch_pods
from tests.hub.stand_in import Hub

REQUIRED_FEATURES = {
    "gateway": ["gateway"],
    "ha": ["hub"],
    "monitoring": ["monitoring", "keda"],
}
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


KEPT = {"ha": {"persistentvolumeclaim/dctnet-model"}}
"""Objects that `helm uninstall` keeps, by profile name."""


def hub_values(hub: Hub, upstream: Path) -> dict[str, Any]:
    """Values for a profile that fetches: the stub hub's model, and a volume of any cluster."""
    pin = str(Pin(open_folder(upstream).source_digest, of_source=True))
    cache = {"accessModes": ["ReadWriteOnce"]}
    return stub_hub.values(hub, digests={"anime": pin}, cache=cache, fetch={"by": "job"})


def test_profiles_exist():
    assert len(PROFILES) >= 6


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
@pytest.mark.parametrize("profile", PROFILES)
def test_profile_installs_passes_helm_test_and_uninstalls_completely(
    profile, image, demo, record_result, request
):
    fetches = "hub" in REQUIRED_FEATURES.get(name_of(profile), [])
    fixtures = map(request.getfixturevalue, ("hub", "upstream_comic"))
    values = hub_values(*fixtures) if fetches else {}
    kept = KEPT.get(name_of(profile), set())
    with namespace("dctnet-e2e") as own_namespace:
        if prepare := PREREQUISITES.get(name_of(profile)):
            prepare(own_namespace, image)
        before = own_namespace.objects()
        release = Release(own_namespace, {"image": demo["image"]} | values, profile)
        replica = f"{release.selector},app.kubernetes.io/component=replica"
        with watch_pods(own_namespace, replica) as seen:
            seconds = release.install(stub_hub.INSTALL_TIMEOUT_S if fetches else BOUND_S)
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
        until(lambda: own_namespace.objects() - kept <= before, "uninstalling leaves objects")
        # Includes cluster-scoped objects and other namespaces.
        left = kubectl("get", "--filename=-", "--ignore-not-found", "--output=name", stdin=manifest)
        assert set(left.split()) == kept
    slowest = max(seen.seconds())
    record_result(
        "install", {"replicas": len(replicas), "seconds": seconds, "slowest_pod_s": slowest}
    )
