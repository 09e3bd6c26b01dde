"""Linters of the chart, the Dockerfile and the workflows: `make chart-lint`."""

import json
import re

import pytest

from tests.support.chart import CHART, PROFILES, Rejected, render, run_tool
from tests.support.repo import ROOT

NAMES = [None, *PROFILES]

# Failed checks of kube-score by kind of object, each with the reason to accept it.
NO_PULL = (
    "Release tags never change, and image.digest pins them; with Always a replica could not start"
    " without the registry."
)
READ_ONLY = "The root is read-only, and each volume has a size limit that the kubelet enforces."
ACCEPTED_CHECKS = {
    ("Deployment", "container-image-pull-policy"): NO_PULL,
    ("Job", "container-image-pull-policy"): NO_PULL,
    ("Job", "container-ephemeral-storage-request-and-limit"): READ_ONLY,
    ("Pod", "container-image-pull-policy"): NO_PULL,
    ("Deployment", "container-ephemeral-storage-request-and-limit"): READ_ONLY,
    ("Deployment", "deployment-has-host-podantiaffinity"): (
        "topologySpreadConstraints spread replicas over nodes and zones; kube-score ignores them."
    ),
    ("Deployment", "deployment-replicas"): (
        "The minimal profile has one replica, the one with KEDA starts with one."
    ),
    ("Pod", "container-ephemeral-storage-request-and-limit"): (
        "The pod of `helm test` writes nothing: its root and its volumes are read-only."
    ),
    ("Pod", "container-resources"): (
        "The pod of `helm test` sends one image and exits; a CPU limit would only slow it down."
    ),
    ("Pod", "pod-networkpolicy"): "The pod of `helm test` listens on no port.",
}


@pytest.mark.parametrize("helm", ["helm", "helm3"])
@pytest.mark.parametrize("name", NAMES)
def test_helm_lint_passes(helm, name):
    values = ["--values", CHART / f"ci/{name}-values.yaml"] if name else []
    run = run_tool(helm, "lint", "--strict", "--quiet", CHART, *values)
    assert run.returncode == 0, run.stdout + run.stderr
    assert not re.search(r"\[(WARNING|ERROR)\]", run.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_helm_3_and_helm_4_render_equal_objects(name):
    assert list(render(profile=name, helm="helm3")) == list(render(profile=name))


def test_helm_3_reports_validation_errors():
    with pytest.raises(Rejected, match=r"^dctnet: timeouts.proxyRead is 1 s, .*\.$"):
        render({"timeouts": {"proxyRead": 1}}, helm="helm3")


def test_kube_score_finds_only_accepted_checks():
    failed = set()
    for name in NAMES:
        text = "\n---\n".join(map(json.dumps, render(profile=name)))
        run = run_tool("kube-score", "score", "--output-format", "json", "-", input=text).stdout
        failed |= {
            (each["type_meta"]["kind"], check["check"]["id"])
            for each in json.loads(run)
            for check in each["checks"]
            if not check["skipped"] and check["grade"] < 10
        }
    assert failed - set(ACCEPTED_CHECKS) == set()
    assert set(ACCEPTED_CHECKS) - failed == set()  # No outdated entries.


def test_actionlint_passes():
    workflows = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
    assert workflows
    run = run_tool("actionlint", "-no-color", *workflows, cwd=ROOT)
    assert run.returncode == 0, run.stdout


def test_zizmor_passes():
    run = run_tool("zizmor", "--offline", "--no-progress", "--strict-collection", ".", cwd=ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    for path in (ROOT / ".github/workflows").iterdir():
        assert f"completed ./{path.relative_to(ROOT)}\n" in run.stderr


def test_hadolint_passes():
    run = run_tool("hadolint", "Dockerfile", cwd=ROOT)
    assert run.returncode == 0, run.stdout
