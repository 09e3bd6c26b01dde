"""Prometheus rules: validity, unit tests, annotations and runbook entries."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import promql
from tests.support.chart import DEMO, GATEWAY, INGRESS, Object, merge_values, render, run_tool
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

SLO, RELEASE = "dctnet.slo", "dctnet.release"
HOST = {"expose": {"hosts": ["cartoons.example.org"], "tls": {"enabled": True}}}
NGINX = merge_values(INGRESS, HOST)

RENDERED: dict[str, tuple[dict[str, Any], dict[str, str], set[str]]] = {
    "slo.yaml": ({}, {}, {SLO}),
    "slo-canary.yaml": ({}, {"release": "dctnet-canary"}, {SLO}),
    "slo-staging.yaml": ({}, {"namespace": "staging"}, {SLO}),
    "release.yaml": (NGINX, {}, {RELEASE}),
    "nginx.yaml": (NGINX | {"slo": {"source": "ingress-nginx"}}, {}, {SLO, RELEASE}),
    "envoy.yaml": (GATEWAY | {"slo": {"source": "envoy-gateway"}}, {}, {SLO, RELEASE}),
}
"""Rule files of the unit tests: values, options of the rendering, and groups."""


def rendered_groups(values: dict[str, Any], **options: str) -> list[Object]:
    enabled = {"metrics": {"prometheusRule": {"enabled": True}}}
    rule = render(merge_values(DEMO, values, enabled), **options).one("PrometheusRule")
    groups: list[Object] = rule["spec"]["groups"]
    return groups


def release_rules() -> list[Object]:
    """Return the rules about one release, with those of all options."""
    groups = {group["name"]: group["rules"] for group in rendered_groups(NGINX)}
    return [*groups[RELEASE], *groups[SLO]]


@pytest.fixture(scope="module")
def rule_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rule files, rendered for several releases, and their unit tests."""
    folder = tmp_path_factory.mktemp("rules")
    for path in [RULES, *CASES]:
        shutil.copy(path, folder)
    for name, (values, options, wanted) in RENDERED.items():
        groups = [each for each in rendered_groups(values, **options) if each["name"] in wanted]
        assert len(groups) == len(wanted)
        (folder / name).write_text(yaml.safe_dump({"groups": groups}))
    return folder


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return its output; fail the test if it fails."""
    done = run_tool("promtool", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_rules_are_valid(rule_files):
    files = [rule_files / name for name in [RULES.name, *RENDERED]]
    output = promtool("check", "rules", "--lint-fatal", *files)
    assert output.count("SUCCESS") == len(files)
    assert f"{len(ALL)} rules found" in output


@pytest.mark.promise("Alerts: each fires when it should, is silent otherwise, has a runbook entry")
def test_rules_pass_their_unit_tests(rule_files):
    output = promtool("test", "rules", *(rule_files / path.name for path in CASES))
    assert output.count("SUCCESS") == len(CASES) > 0


def all_alerts() -> dict[str, Object]:
    """Return all alerts by name."""
    rules = [*release_rules(), *ALL]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


def test_rules_pass_their_unit_tests_with_target_labels(tmp_path):
    """The labels of a monitor's targetLabels; alerts on a replica carry them.

    Rules about one release aggregate all labels away.
    """
    replaced = f"rule_files: [{RULES.name}]"
    texts = {path.name: text for path in CASES if replaced in (text := path.read_text())}
    for name, original in texts.items():
        text = re.sub(r"(series: '\w+\{)", r'\1team="a", ', original)
        text = re.sub(r'(labels: \'ALERTS\{)(.*pod=")', r'\1team="a", \2', text)
        (tmp_path / name).write_text(text.replace(replaced, f"rule_files: [{RULES}]"))
    assert promtool("test", "rules", *tmp_path.iterdir()).count("SUCCESS") == len(texts) > 0


@pytest.mark.promise("Alerts: each fires when it should, is silent otherwise, has a runbook entry")
def test_alerts_have_firing_and_silent_cases():
    outcomes: dict[str, set[bool]] = {alert: set() for alert in all_alerts()}
    for case in TEST_CASES:
        if match := FIRING.fullmatch(case["expr"]):
            outcomes[match[1]].add(bool(case["exp_samples"]))
        elif case["expr"].startswith("count_over_time(ALERTS{"):
            selector = re.search(r'alertname=~"(.*?)"', case["expr"])
            for alert, seen in outcomes.items():
                if selector and re.fullmatch(selector[1], alert):
                    seen.add(bool(case["exp_samples"]))
    assert {alert: seen for alert, seen in outcomes.items() if seen != {True, False}} == {}


def test_recorded_series_is_used_or_tested():
    expressions = [each["expr"] for each in [*TEST_CASES, *ALL]]
    assert set(RECORDED) <= set.union(*map(promql.recorded_series, expressions))


@pytest.mark.promise("Alerts: each fires when it should, is silent otherwise, has a runbook entry")
def test_alerts_have_severity_summary_description_and_runbook():
    for alert, rule in all_alerts().items():
        release = set() if alert in ALERTS else {"namespace", "job"}
        assert rule["labels"].keys() - {"proxy"} == {"severity"} | release
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        summary = rule["annotations"]["summary"]
        assert "images/dctnet" in summary if release else "$labels.namespace" in summary
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert anchor == alert.lower()
        assert anchor in anchors(ROOT / page)


def test_runbook_entries_match_the_alerts():
    entries = re.findall(r"^## (Dctnet\w+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert entries == list(all_alerts())


def test_monitoring_page_lists_every_recorded_series():
    page = (ROOT / "docs/monitoring.md").read_text()
    listed = set(re.findall(r"`(\w+:\w+:\w+)`", page))
    assert listed == {rule["record"] for rule in [*ALL, *release_rules()] if "record" in rule}


def test_rules_about_every_release_select_none():
    for rule in ALL:
        labels = {matcher.label for matcher in promql.label_matchers(rule["expr"])}
        assert not labels & {"namespace", "job", "pod", "instance"}
