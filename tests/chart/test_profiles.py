"""Every profile of ci/ makes what Kubernetes takes, strictly, in four of its versions."""

import json
import re

import pytest
import yaml

from tests.chart.schemas import MINORS
from tests.support.chart import (
    CHART,
    DEMO,
    IMAGE,
    PROFILES,
    SCHEMAS,
    Objects,
    faults,
    render,
    run_tool,
)
from tests.support.kubernetes import validation_errors


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
def test_kubeconform_takes_every_profile_strictly(tmp_path):
    total = 0
    for minor in MINORS:
        folder = tmp_path / minor
        folder.mkdir()
        for name in [None, *PROFILES]:
            made = render(profile=name, kubernetes=f"{minor}.0")
            total += len(list(made))
            (folder / f"{name}.yaml").write_text("\n---\n".join(map(json.dumps, made)))
        options = ["-strict", "-summary", "-output", "json", "-kubernetes-version", f"{minor}.0"]
        run = run_tool("kubeconform", *options, "-schema-location", SCHEMAS, folder)
        said = json.loads(run.stdout)
        assert said.get("resources") in (None, []), run.stdout
        assert run.returncode == 0
        summary = said["summary"]
        assert summary["skipped"] == summary["errors"] == summary["invalid"] == 0
        total -= summary["valid"]
    assert total == 0  # Every object was looked at.


def test_a_profile_makes_nothing_that_kubernetes_would_reject():
    for name in PROFILES:
        assert validation_errors(render(profile=name)) == [], name


def test_the_image_source_is_valid_where_it_can_be_rendered():
    made = render(IMAGE)
    assert faults(made, "1.36") == faults(made, "1.37") == []


def test_the_schemas_reject_a_misspelt_field_of_every_kind():
    profiles = [each for name in PROFILES for each in render(profile=name)]
    kinds = set()
    for each in [*profiles, *render({"model": {"cache": {"create": True}}})]:
        kinds.add(each["kind"])
        part = "spec" if "spec" in each else "metadata"
        each[part]["nonesuch"] = 1
        assert any("nonesuch" in fault for fault in faults(Objects([each]))), each["kind"]
    assert len(kinds) >= 14


def test_the_chart_says_which_versions_of_kubernetes_it_takes():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    oldest = min(MINORS, key=lambda minor: int(minor.partition(".")[2]))
    assert chart["kubeVersion"] == f">={oldest}.0-0"
    with pytest.raises(AssertionError, match="chart requires kubeVersion"):
        render(kubernetes="1.28.15")
    assert render(DEMO, kubernetes="1.29.0-gke.100").deployment


def test_no_profile_names_a_host_that_images_come_from():
    for profile in CHART.glob("ci/*"):
        assert not re.search(r"registry: \S+\.", profile.read_text())
