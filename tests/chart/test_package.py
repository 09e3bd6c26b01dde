"""Packaged chart of a release: `.ci/stamp_chart.py`, `helm package`, then every profile."""

import re
import shutil
import subprocess
import sys
from difflib import unified_diff
from pathlib import Path

import pytest
import yaml

from tests.support.chart import CHART, PROFILES, merge_values, nest_value, render, run_tool
from tests.support.kubernetes import images, pods
from tests.support.repo import ROOT

VERSION = "7.8.9"
REGISTRY = "registry.example:5000/team"
RUNTIME = f"sha256:{'a1' * 32}"
TENSORFLOW = f"sha256:{'b2' * 32}"
OWN = f"sha256:{'c3' * 32}"
RELEASE = (VERSION, REGISTRY, RUNTIME, TENSORFLOW)
REFERENCES = {
    "runtime": f"{REGISTRY}/dctnet:{VERSION}@{RUNTIME}",
    "tensorflow": f"{REGISTRY}/dctnet:{VERSION}-tensorflow@{TENSORFLOW}",
}


def stamp(folder: Path, *release: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", str(ROOT / ".ci/stamp_chart.py"), str(folder), *release]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CHART, tmp_path / "dctnet"))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as the workflow `release` packages it."""
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(CHART, folder / "dctnet")
    stamped = stamp(folder / "dctnet", *RELEASE)
    assert stamped.returncode == 0, stamped.stderr
    packaged = run_tool("helm", "package", folder / "dctnet", "--destination", folder)
    assert packaged.returncode == 0, packaged.stderr
    return folder / f"dctnet-{VERSION}.tgz"


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_packaged_chart_has_registry_and_digest_of_every_image(package, profile):
    objects = render(profile=profile, chart=package)
    assert {"Deployment", "Pod"} <= {each["kind"] for each in objects}
    assert len(list(pods(objects))) >= 2
    # The Job of the production profile fetches and converts a model, which needs TensorFlow.
    variants = {"runtime", "tensorflow"} if profile == "ha" else {"runtime"}
    assert images(objects) == {REFERENCES[variant] for variant in variants}
    labels = objects.deployment["metadata"]["labels"]
    assert labels["helm.sh/chart"] == f"dctnet-{VERSION}"
    assert labels["app.kubernetes.io/version"] == VERSION


@pytest.mark.parametrize(
    ("values", "reference"),
    [
        ({"image.variant": "tensorflow"}, REFERENCES["tensorflow"]),
        ({"image.registry": "mirror"}, REFERENCES["runtime"].replace(REGISTRY, "mirror")),
        ({"global.imageRegistry": "mirror"}, REFERENCES["runtime"].replace(REGISTRY, "mirror")),
        ({"image.tag": "own"}, f"{REGISTRY}/dctnet:own"),
        ({"image.digest": OWN}, f"{REGISTRY}/dctnet:{VERSION}@{OWN}"),
        ({"image.digest": OWN, "image.tag": "own"}, f"{REGISTRY}/dctnet:own@{OWN}"),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, dict) else "",
)
def test_mirror_keeps_the_digest_and_own_tag_or_digest_replaces_it(package, values, reference):
    nested = merge_values(*(nest_value(path, value) for path, value in values.items()))
    assert images(render(nested, profile="minimal", chart=package)) == {reference}


@pytest.mark.parametrize("variant", REFERENCES)
def test_release_workflow_installs_the_package_with_valid_values(package, variant):
    """The options of `helm install` in the job `try`."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text())
    (install,) = [
        step["run"]
        for step in workflow["jobs"]["try"]["steps"]
        if "helm install" in step.get("run", "")
    ]
    values = [
        option.strip("'\"").replace("$variant", variant)
        for option in re.findall(r"--set (\S+)", install)
    ]
    assert len(values) == 5
    options = [option for value in values for option in ("--set", value)]
    run = run_tool("helm", "template", variant, package, *options)
    assert run.returncode == 0, run.stderr
    assert set(re.findall(r'image: "(.*)"', run.stdout)) == {REFERENCES[variant]}
    assert run.stdout.count('- name: "registry"') == 2  # Replicas, and the pod of `helm test`.


def test_stamp_changes_five_lines_and_no_comment(copy):
    assert stamp(copy, *RELEASE).returncode == 0
    added = []
    for before in (path for path in CHART.rglob("*") if path.is_file()):
        after = copy / before.relative_to(CHART)
        changes = unified_diff(before.read_text().split("\n"), after.read_text().split("\n"), n=0)
        added += [line for line in changes if line.startswith("+") and not line.startswith("+++")]
    assert sorted(added) == sorted(
        [
            f"+version: {VERSION}",
            f'+appVersion: "{VERSION}"',
            f"+  registry: {REGISTRY}",
            f"+    runtime: {RUNTIME}",
            f"+    tensorflow: {TENSORFLOW}",
        ]
    )


@pytest.mark.parametrize(
    ("position", "wrong", "name"),
    [
        (0, "v7.8.9", "version"),
        (0, "7.8", "version"),
        (1, "", "registry"),
        (1, "registry.example/Team", "registry"),
        (1, "oci://registry.example", "registry"),
        (2, "", "digest of runtime"),
        (2, RUNTIME[:-1], "digest of runtime"),
        (2, RUNTIME + "a", "digest of runtime"),
        (2, RUNTIME + "\n", "digest of runtime"),
        (3, TENSORFLOW.upper(), "digest of tensorflow"),
        (3, TENSORFLOW.removeprefix("sha256:"), "digest of tensorflow"),
    ],
)
def test_stamp_rejects_malformed_values_and_changes_nothing(copy, position, wrong, name):
    release = [*RELEASE]
    release[position] = wrong
    rejected = stamp(copy, *release)
    assert rejected.returncode == 1
    assert rejected.stderr.startswith(f"The {name} is {wrong!r}, but it must match ")
    for file in "Chart.yaml", "values.yaml":
        assert (copy / file).read_bytes() == (CHART / file).read_bytes()


def test_stamp_rejects_a_stamped_chart(copy):
    assert stamp(copy, *RELEASE).returncode == 0
    again = stamp(copy, *RELEASE)
    assert again.returncode == 1
    assert "values.yaml has 0 places for registry.example:5000/team, not one" in again.stderr
