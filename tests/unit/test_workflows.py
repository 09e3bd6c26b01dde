"""GitHub workflows: pinned actions, least privilege, timeouts.

Nothing runs them here; `make chart-lint` also checks them with actionlint and zizmor.
"""

import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from dctnet import __version__
from tests.support.markdown import commands, tables
from tests.support.repo import ROOT, environment

WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
RELEASE = ROOT / ".github" / "workflows" / "release.yaml"

WRITE_PERMISSIONS = {
    ("release.yaml", "images"): {"packages"},
    ("release.yaml", "stage"): {"packages", "id-token", "attestations"},
    ("release.yaml", "pypi"): {"id-token"},
    ("release.yaml", "github"): {"contents"},
}
"""Jobs with write permissions; all others can only read the repository."""


def parsed(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text())


def jobs(path: Path) -> list[tuple[str, dict[str, Any]]]:
    return list(parsed(path)["jobs"].items())


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for _, job in jobs(path) for step in job.get("steps", [])]


def test_documentation_lists_the_workflows():
    listed = [
        row["workflow"]
        for table in tables(ROOT / "docs" / "development.md")
        for row in table
        if "workflow" in row
    ]
    assert sorted(listed) == [f"`{path.name}`" for path in WORKFLOWS]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_a_version_comment(path):
    used = re.findall(r"^ *(?:- )?uses: *(.*)$", path.read_text(), re.MULTILINE)
    assert len(used) == len([s for s in steps(path) if "uses" in s]) + len(
        [job for _, job in jobs(path) if "uses" in job]
    )
    for action in used:
        if action.startswith("./"):
            assert (ROOT / action).is_file(), action
        else:
            assert re.fullmatch(r"[\w-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_action_has_one_version_in_all_workflows():
    text = "".join(path.read_text() for path in WORKFLOWS)
    used = set(re.findall(r"uses: ([\w-]+/[\w.-]+)(@.*)", text))
    assert len(used) == len({action for action, _ in used})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_permissions_are_granted_per_job(path):
    assert parsed(path)["permissions"] == {}
    for name, job in jobs(path):
        write = {scope for scope, access in job["permissions"].items() if access != "read"}
        assert write == WRITE_PERMISSIONS.get((path.name, name), set()), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_have_timeouts_and_runs_are_cancelled(path):
    assert {"group", "cancel-in-progress"} <= parsed(path)["concurrency"].keys()
    for name, job in jobs(path):
        assert "uses" in job or 0 < job["timeout-minutes"] <= 150, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_pull_request_gets_no_secret_and_no_script_injection(path):
    # YAML 1.1 reads the key `on` as true.
    triggers = parsed(path)[True]
    assert "pull_request_target" not in triggers
    assert "workflow_run" not in triggers
    if "pull_request" in triggers:
        assert "secrets." not in path.read_text()
    for step in steps(path):
        assert "${{" not in step.get("run", ""), step
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
            other = step["with"].get("repository")
            assert not other or re.fullmatch(r"[0-9a-f]{40}", step["with"]["ref"])


def test_workflows_use_existing_make_targets():
    commands = [step.get("run", "") for path in WORKFLOWS for step in steps(path)]
    used_targets = {
        target
        for command in commands
        for targets in re.findall(r"^make ((?:[a-z0-9-]+ ?)+)$", command, re.MULTILINE)
        for target in targets.split()
    }
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"e2e", "image-test", "lint"} <= used_targets
    assert used_targets <= set(" ".join(targets).split())


def test_chart_is_installed_on_three_consecutive_kubernetes_minors():
    (matrix,) = [
        job["strategy"]["matrix"]
        for name, job in jobs(ROOT / ".github" / "workflows" / "chart.yaml")
        if name == "install"
    ]
    nodes = [
        re.fullmatch(r"kindest/node:v1\.(\d+)\.\d+@sha256:[0-9a-f]{64}", n) for n in matrix["node"]
    ]
    minors = [int(node[1]) for node in nodes if node]
    assert len(minors) == len(matrix["node"]) == 3
    assert all(later == earlier + 1 for earlier, later in pairwise(minors))


def test_release_publishes_only_what_was_tested():
    """All tests before the first push; the pushed chart and images before PyPI and the release."""
    release = dict(jobs(RELEASE))

    def before(name: str) -> set[str]:
        needs = release[name].get("needs", [])
        direct = {needs} if isinstance(needs, str) else set(needs)
        return direct.union(*map(before, direct))

    called = {name: job["uses"] for name, job in release.items() if "uses" in job}
    assert called == {name: f"./.github/workflows/{name}.yaml" for name in ("ci", "chart", "image")}
    for path in map(ROOT.joinpath, called.values()):
        assert "workflow_call" in parsed(path)[True], path
    assert before("images") == {"version", *called, "wheels"}
    assert before("try") == {*before("images"), "images", "stage"}
    for name in "pypi", "github":
        assert before(name) >= {*before("try"), "try"}
    assert "if" not in set().union(*release.values())


def test_release_has_no_stored_credential():
    assert "secrets." not in RELEASE.read_text()
    assert dict(jobs(RELEASE))["pypi"]["environment"] == "pypi"


def test_release_runs_the_documented_verification():
    documented = [block.text for block in commands(ROOT / "docs" / "verify.md")]
    (verify,) = [step["run"] for step in steps(RELEASE) if "docs/verify.md" in step.get("name", "")]
    assert verify in documented
    assert parsed(RELEASE)["name"] == RELEASE.stem
    assert f"/.github/workflows/{RELEASE.name}@refs/tags/v$VERSION" in verify
    for command in "cosign verify ", "cosign verify-blob ", "gh attestation verify ":
        assert command in verify


@pytest.mark.parametrize(
    ("tag", "dated", "passes"),
    [
        (f"v{__version__}", True, True),
        (f"v{__version__}", False, False),
        (f"v{__version__}.1", True, False),
        ("v7.8.9", True, False),
        (__version__, True, False),
    ],
)
def test_release_requires_the_tag_of_a_dated_version(tmp_path, tag, dated, passes):
    (check,) = [step["run"] for step in steps(RELEASE) if step.get("id") == "version"]
    for name in "service/dctnet/__init__.py", "helm/dctnet/Chart.yaml", "CHANGELOG.md":
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        heading = rf"(?m)^(## \[{re.escape(__version__)}\] - ).*$"
        text = (ROOT / name).read_text()
        (tmp_path / name).write_text(
            re.sub(heading, r"\g<1>2026-12-01" if dated else r"\g<1>unreleased", text)
        )
    output = tmp_path / "output"
    run = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", check],
        cwd=tmp_path,
        env=environment(TAG=tag, GITHUB_REPOSITORY_OWNER="Some-One", GITHUB_OUTPUT=output),
        capture_output=True,
        check=False,
    )
    assert (run.returncode == 0) is passes
    written = output.read_text() if output.exists() else ""
    assert written == passes * f"version={__version__}\nregistry=ghcr.io/some-one\n"
