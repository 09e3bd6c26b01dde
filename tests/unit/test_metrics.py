"""Metrics: names, labels and buckets that dashboards and alerts use."""

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from dctnet.config import Settings
from dctnet.metrics import CARTOON_ROUTES, Metrics, UnreadReason, classify_outcome
from dctnet.model_loading import StyleModels
from dctnet.models.folder import ModelFolder
from dctnet.replica import Replica
from tests.support.repo import ROOT

DOCUMENTATION = ROOT / "docs/operations.md"
MONITORING = ROOT / "helm/dctnet/templates/_monitoring.tpl"
MODEL = ModelFolder(Path("tiny"), "tiny", "example/tiny", "v1", "ab" * 32, "unpinned")
FOUND = StyleModels({"tiny": MODEL})
BUCKETS = ["0.05", "0.1", "0.25", "0.5", "1.0", "2.0", "4.0", "8.0", "15.0", "30.0", "60.0", "+Inf"]


@pytest.fixture
def replica() -> Replica:
    return Replica(Settings.from_environment({"DCTNET_SLOTS": "2"}), FOUND)


def documented() -> dict[str, tuple[str, ...]]:
    """Names and labels in the documentation's table."""
    cells = re.findall(r"^\| (`dctnet_.*?`) \|", DOCUMENTATION.read_text(), re.MULTILINE)
    metrics = re.findall(r"`(\w+)(?:\{(.*?)\})?`", " ".join(cells))
    return {name: tuple(labels.split(",")) if labels else () for name, labels in metrics}


def test_documentation_lists_every_metric_and_label(replica):
    labels = {
        family.name + ("_total" if family.type == "counter" else ""): {
            label for sample in family.samples for label in sample.labels
        }
        - {"le"}
        for family in replica.metrics.registry.collect()
        if family.name.startswith("dctnet_")
    }
    assert labels == {name: set(listed) for name, listed in documented().items()}


def test_chart_knows_every_label():
    """The chart rejects target labels that rename one; honorLabels cannot replace the identity."""
    (copy,) = re.findall(
        r'"dctnet\.metricLabels" -}}\n{{- list (.*) \| toJson', MONITORING.read_text()
    )
    labels = {label for each in documented().values() for label in each} | {"le"}
    assert re.findall(r'"(\w+)"', copy) == sorted(labels)
    assert not labels & {"namespace", "job", "pod", "instance"}


def test_duration_buckets_include_the_objectives():
    metrics = Metrics()
    text = generate_latest(metrics.registry).decode()
    found = re.findall(r'dctnet_stage_duration_seconds_bucket\{le="(.*?)",stage="queue"\}', text)
    assert found == BUCKETS


def test_series_exist_before_the_first_event(replica):
    text = generate_latest(replica.metrics.registry).decode()
    assert 'dctnet_rejected_total{reason="queue_full"} 0.0' in text
    for route in CARTOON_ROUTES:
        for code in "200", "429", "500", "503", "504":
            series = f'dctnet_requests_total{{code="{code}",method="POST",route="{route}"}} 0.0'
            assert series in text
        for outcome in "ok", "rejected", "error", "client":
            labels = f'{{outcome="{outcome}",route="{route}"}}'
            assert f"dctnet_request_duration_seconds_count{labels} 0.0" in text
    assert "dctnet_load_ratio 0.0" in text
    assert 'dctnet_state{state="starting"} 1.0' in text


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        ("ok", {200, 204, 302, 304}),
        ("rejected", {429, 503}),
        ("error", {500, 501, 502, 504, 505}),
        ("client", {400, 401, 408, 413, 415, 422, 428, 430, 499}),
    ],
)
def test_outcome_of_a_status(outcome, statuses):
    assert {classify_outcome(status, None) for status in statuses} == {outcome}


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "client"), (422, "client"), (429, "rejected"), (504, "error")]
)
def test_outcome_of_an_unread_response(status, outcome):
    assert {classify_outcome(status, reason) for reason in UnreadReason} == {outcome}
