"""The API server accepts the manifests and the example overlay."""

import pytest

from tests.e2e.cluster import ROOT, kubectl


@pytest.mark.parametrize("folder", ["manifests", "overlay-example"])
def test_manifests_pass_a_server_side_dry_run(folder):
    built = kubectl("kustomize", ROOT / "k8s" / folder)
    # A dry run creates no namespace, so objects use an existing one.
    elsewhere = built.replace("namespace: dctnet\n", "namespace: default\n")
    output = kubectl("apply", "--dry-run=server", "--filename=-", stdin=elsewhere).splitlines()
    assert len(output) == 10
    assert all(line.endswith("(server dry run)") for line in output)
