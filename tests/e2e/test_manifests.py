"""The cluster takes the manifests for teams without Helm, alone and with the example on top."""

import pytest

from tests.e2e.cluster import ROOT, kubectl


@pytest.mark.parametrize("folder", ["manifests", "overlay-example"])
def test_the_cluster_takes_every_object_as_kustomize_builds_it(folder):
    built = kubectl("kustomize", ROOT / "k8s" / folder)
    # A dry run makes no namespace for the others to be in: they go into one that exists.
    elsewhere = built.replace("namespace: dctnet\n", "namespace: default\n")
    output = kubectl("apply", "--dry-run=server", "--filename=-", stdin=elsewhere).splitlines()
    assert len(output) == 10
    assert all(line.endswith("(server dry run)") for line in output)
