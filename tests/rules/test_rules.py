"""Prometheus rules: validity, unit tests, annotations and runbook entries."""

import re
from pathlib import Path

import pytest
import yaml

from tests.support import promql
from tests.support.chart import run_tool
from tests.support.markdown import anchors
from tests.support.repo import ROOT

RULES = ROOT / "helm/dctnet/files/rules/dctnet.yaml"
CASES = sorted(Path(__file__).parent.glob("*.test.yaml"))
FIRING = re.compile(r'ALERTS\{alertname="(\w+)", alertstate="firing"\}')

ALL = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
RECORDED = {rule["record"]: rule["expr"] for rule in ALL if "record" in rule}
ALERTS = {rule["alert"]: rule for rule in ALL if "alert" in rule}

TEST_CASES = [
    case
    for path in CASES
    for test in yaml.load(path.read_text(), yaml.CSafeLoader)["tests"]
    for case in test["promql_expr_test"]
]
"""All PromQL test cases of the rule unit tests."""


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return its output; fail the test if it fails."""
    done = run_tool("promtool", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_rules_are_valid():
    assert f"{len(ALL)} rules found" in promtool("check", "rules", "--lint-fatal", RULES)


@pytest.mark.promise("Alerts: each fires when it should, is silent otherwise, has a runbook entry")
def test_rules_pass_their_unit_tests():
    assert promtool("test", "rules", *CASES).count("SUCCESS") == len(CASES) > 0


def test_rules_pass_their_unit_tests_with_target_labels(tmp_path):
    """The labels of a monitor's targetLabels; alerts on a replica carry them."""
    for path in CASES:
        text = re.sub(r"(series: '\w+\{)", r'\1team="a", ', path.read_text())
        text = re.sub(r'(labels: \'ALERTS\{)(.*pod=")', r'\1team="a", \2', text)
        text = re.sub(r"rule_files: .*", f"rule_files: [{RULES}]", text)
        (tmp_path / path.name).write_text(text)
    assert promtool("test", "rules", *tmp_path.iterdir()).count("SUCCESS") == len(CASES)


@pytest.mark.promise("Alerts: each fires when it should, is silent otherwise, has a runbook entry")
@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_a_firing_and_a_silent_case(alert):
    cases = [(FIRING.fullmatch(case["expr"]), case["exp_samples"]) for case in TEST_CASES]
    outcomes = {bool(samples) for match, samples in cases if match and match[1] == alert}
    assert outcomes == {True, False}


def test_recorded_series_is_used_or_tested():
    expressions = [each["expr"] for each in [*TEST_CASES, *ALL]]
    assert set(RECORDED) <= set.union(*map(promql.recorded_series, expressions))


@pytest.mark.promise("Alerts: each fires when it should, is silent otherwise, has a runbook entry")
@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_severity_summary_description_and_runbook(alert):
    rule = ALERTS[alert]
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert "$labels.namespace" in rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == alert.lower()
    assert anchor in anchors(ROOT / page)


def test_runbook_entries_match_the_alerts():
    entries = re.findall(r"^## (Dctnet\w+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert entries == list(ALERTS)


def test_monitoring_page_lists_every_recorded_series():
    page = (ROOT / "docs/monitoring.md").read_text()
    assert set(re.findall(r"`(\w+:\w+:\w+)`", page)) == RECORDED.keys()


def test_rules_select_no_release():
    for rule in ALL:
        labels = {matcher.label for matcher in promql.label_matchers(rule["expr"])}
        assert not labels & {"namespace", "job", "pod", "instance"}
