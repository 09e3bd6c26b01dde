"""Every profile of ci/ makes what Kubernetes takes, strictly, in four of its versions."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.schemas import MINORS
from tests.support.chart import CHART, PROFILES, SCHEMAS, Objects, faults, render, tool
from tests.support.kubernetes import mistakes

NAMES = [profile.name.removesuffix("-values.yaml") for profile in PROFILES]


def test_the_profiles_are_those_that_are_promised() -> None:
    promised = {"airgapped", "gateway", "ha", "minimal", "monitoring", "restricted"}
    assert set(NAMES) >= promised


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
def test_kubeconform_takes_every_profile_strictly(tmp_path: Path) -> None:
    total = 0
    for minor in MINORS:
        folder = tmp_path / minor
        folder.mkdir()
        for name in [None, *NAMES]:
            made = render(profile=name, kubernetes=f"{minor}.0")
            total += len(list(made))
            (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(list(made)))
        command = [tool("kubeconform"), "-strict", "-summary", "-output", "json"]
        command += [
            "-kubernetes-version",
            f"{minor}.0",
            "-schema-location",
            str(SCHEMAS),
            str(folder),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        said = json.loads(run.stdout)
        assert said.get("resources") in (None, []), run.stdout
        assert run.returncode == 0
        summary = said["summary"]
        assert summary["skipped"] == summary["errors"] == summary["invalid"] == 0
        total -= summary["valid"]
    assert total == 0  # Every object was looked at.


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_makes_nothing_that_kubernetes_would_refuse(name: str) -> None:
    made = render(profile=name)
    assert mistakes(made) == []
    for minor in MINORS:
        assert faults(made, minor) == []


def test_the_image_source_is_valid_where_it_can_be_rendered() -> None:
    reference = f"models/anime@sha256:{'0' * 64}"
    made = render({"model": {"source": "image", "image": {"reference": reference}}})
    assert faults(made, "1.36") == faults(made, "1.37") == []


def every_kind() -> Objects:
    profiles = [each for name in NAMES for each in render(profile=name)]
    return Objects([*profiles, *render({"model": {"cache": {"create": True}}})])


def test_the_schemas_refuse_a_misspelt_field_of_every_kind() -> None:
    kinds = set()
    for each in every_kind():
        kinds.add(each["kind"])
        part = "spec" if "spec" in each else "metadata"
        each[part]["nonesuch"] = 1
        assert any("nonesuch" in fault for fault in faults(Objects([each]))), each["kind"]
    assert len(kinds) >= 14


def test_the_chart_says_which_versions_of_kubernetes_it_takes() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    oldest = min(MINORS, key=lambda minor: int(minor.partition(".")[2]))
    assert chart["kubeVersion"] == f">={oldest}.0-0"
    with pytest.raises(AssertionError, match="chart requires kubeVersion"):
        render(kubernetes="1.28.15")
    assert render({"model": {"source": "demo"}}, kubernetes="1.29.0-gke.100").deployment


def test_no_profile_names_a_host_that_images_come_from() -> None:
    for profile in PROFILES:
        assert not re.search(r"registry: \S+\.", profile.read_text())
