"""Each profile of the chart installs, passes `helm test`, and leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import Release, is_ready, kubectl, namespace, until
from tests.e2e.conftest import Note
from tests.e2e.watching import watching

NEEDS = {"gateway": ["gateway"], "monitoring": ["monitoring"]}
"""What a cluster must have that a profile is installed in, by the profile's name."""

PROFILES = [
    pytest.param(
        path,
        id=path.name.removesuffix("-values.yaml"),
        marks=[
            pytest.mark.needs(part)
            for part in NEEDS.get(path.name.removesuffix("-values.yaml"), [])
        ],
    )
    for path in sorted((Release.chart / "ci").glob("*-values.yaml"))
]


def test_there_are_profiles() -> None:
    assert len(PROFILES) >= 6


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_installs_and_passes_its_test_and_leaves_nothing(
    profile: Path, demo: dict[str, Any], note: Note
) -> None:
    # What a profile says of scaling is its own.
    values = {key: value for key, value in demo.items() if key != "autoscaling"}
    with namespace("dctnet-e2e") as fresh:
        before = fresh.objects()
        release = Release(fresh, values, profile)
        with watching(fresh, release.selector) as seen:
            seconds = release.install()
        pods = release.pods()
        assert pods
        assert all(is_ready(pod) for pod in pods)
        said = release.test()
        manifest = release.helm("get", "manifest", release.name)
        release.uninstall()
        until(
            f"uninstalling leaves {fresh.objects() - before}",
            lambda: fresh.objects() <= before,
        )
        # Cluster-wide ones too, and those in other namespaces.
        left = kubectl("get", "--filename=-", "--ignore-not-found", "--output=name", stdin=manifest)
        assert left == ""
        note(
            "install",
            {"replicas": len(pods), "seconds": seconds, "slowest_pod_s": max(seen.seconds())},
        )
    assert "Succeeded" in said
