"""What linters of charts, images and workflows find: nothing that is not answered here.

`make chart-lint` runs these alone.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.chart import CHART, PROFILES, ROOT, render, tool

NAMES = [None, *(profile.name.removesuffix("-values.yaml") for profile in PROFILES)]

# Checks of kube-score that the chart does not follow, by the kind of object, each with the reason.
NO_PULL = (
    "A release's tag never changes, and image.digest pins it; Always would let a replica's start"
    " depend on the registry."
)
ANSWERED = {
    ("Deployment", "container-image-pull-policy"): NO_PULL,
    ("Pod", "container-image-pull-policy"): NO_PULL,
    ("Deployment", "container-ephemeral-storage-request-and-limit"): (
        "The root is read-only, and each volume has a size limit that the kubelet keeps."
    ),
    ("Deployment", "deployment-has-host-podantiaffinity"): (
        "Replicas spread by topologySpreadConstraints, over zones too, which it does not look at."
    ),
    ("Deployment", "deployment-replicas"): (
        "The minimal profile has one replica on purpose, the one with KEDA begins with one."
    ),
    ("Deployment", "deployment-has-poddisruptionbudget"): (
        "A single replica has none, or its node could never be drained."
    ),
    ("Pod", "container-ephemeral-storage-request-and-limit"): (
        "The pod of `helm test` writes nothing: its root and its volumes are read-only."
    ),
    ("Pod", "container-resources"): (
        "The pod of `helm test` sends one picture and ends; a CPU limit would only slow it."
    ),
    ("Pod", "pod-networkpolicy"): "The pod of `helm test` listens on no port.",
}


def run(*command: str | Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=check, cwd=ROOT
    )


@pytest.mark.parametrize("helm", ["helm", "helm3"])
@pytest.mark.parametrize("name", NAMES)
def test_helm_lint_finds_nothing(helm: str, name: str | None) -> None:
    values = ["--values", CHART / f"ci/{name}-values.yaml"] if name else []
    said = run(tool(helm), "lint", "--strict", "--quiet", CHART, *values)
    assert said.returncode == 0, said.stdout + said.stderr
    assert not re.search(r"\[(WARNING|ERROR)\]", said.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_helm_3_makes_the_same_of_a_profile_as_helm_4(name: str | None) -> None:
    assert list(render(profile=name, helm="helm3")) == list(render(profile=name))


def test_helm_3_refuses_by_the_same_sentence() -> None:
    said = []
    for helm in ("helm", "helm3"):
        with pytest.raises(Exception, match="dctnet: ") as refused:
            render({"timeouts": {"proxyRead": 1}}, helm=helm)
        said.append(str(refused.value))
    assert said[0] == said[1]


def findings(text: str) -> set[tuple[str, str]]:
    """What kube-score finds in objects: their kinds, each with the check's name."""
    command = [tool("kube-score"), "score", "--output-format", "json", "-"]
    said = subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout
    return {
        (each["type_meta"]["kind"], check["check"]["id"])
        for each in json.loads(said)
        for check in each["checks"]
        if not check["skipped"] and check["grade"] < 10
    }


def test_kube_score_finds_only_what_is_answered() -> None:
    found: set[tuple[str, str]] = set()
    for name in NAMES:
        found |= findings(yaml.safe_dump_all(list(render(profile=name))))
    assert found - set(ANSWERED) == set()
    assert set(ANSWERED) - found == set()  # An answer that nobody asks for is out of date.


def test_kube_score_would_find_a_mistake() -> None:
    careless = list(render({"securityContext": {"privileged": True}}))
    found = findings(yaml.safe_dump_all(careless))
    assert ("Deployment", "container-security-context-privileged") in found


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    workflows = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
    assert workflows
    said = run(tool("actionlint"), "-no-color", *workflows)
    assert said.returncode == 0, said.stdout


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    said = run(tool("hadolint"), ROOT / "Dockerfile")
    assert said.returncode == 0, said.stdout
