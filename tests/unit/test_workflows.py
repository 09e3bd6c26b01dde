"""GitHub workflows: pinned actions, least privilege, timeouts.

Nothing runs them here; `make chart-lint` also checks them with actionlint.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.markdown import tables
from tests.support.repo import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())

WRITE_PERMISSIONS = {
    ("release.yaml", "publish"): {"id-token"},
    ("release.yaml", "github"): {"contents", "id-token"},
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
