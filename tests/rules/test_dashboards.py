"""The dashboards are whole, ask for what exists, and show something of a replica that draws."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rules.conftest import SCRAPES, TARGET, promtool
from tests.rules.test_rules import ALERTS
from tests.support import promql
from tests.support.repo import ROOT

DASHBOARDS = sorted((ROOT / "helm/dctnet/files/dashboards").glob("*.json"))
each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)

VARIABLES = {"$__rate_interval": "1m", "$namespace": ".*", "$job": ".*"}
"""What Grafana puts in: a rate spans four scrapes, and `All` matches everything."""

PANELS = {"stat", "timeseries", "heatmap", "state-timeline", "table"}
"""Those that Grafana ships."""

UNITS = {"none", "short", "s", "reqps", "ops", "percentunit", "bytes"}
"""Names of units that Grafana knows; it shows a misspelt one as a suffix."""


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def panels(path: Path) -> list[dict[str, Any]]:
    return [panel for panel in read(path)["panels"] if panel["type"] != "row"]


def expressions(path: Path) -> list[str]:
    """The queries as Grafana would send them."""
    found = [target["expr"] for panel in panels(path) for target in panel["targets"]]
    for variable, value in VARIABLES.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


def test_there_is_a_dashboard():
    assert DASHBOARDS


@each_dashboard
def test_a_dashboard_is_one_that_grafana_10_takes(path):
    dashboard = read(path)
    assert dashboard["schemaVersion"] >= 39
    assert re.fullmatch(r"[a-z0-9-]{1,40}", dashboard["uid"])
    assert dashboard["title"]
    assert "id" not in dashboard  # It is a number of one Grafana.
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


@each_dashboard
def test_a_panel_says_what_it_shows_and_in_which_unit(path):
    titles = [panel["title"] for panel in panels(path)]
    assert len(titles) == len(set(titles))
    for panel in panels(path):
        assert panel["type"] in PANELS
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["targets"]


@each_dashboard
def test_panels_lie_side_by_side(path):
    taken: set[tuple[int, int]] = set()
    for panel in read(path)["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


@each_dashboard
def test_a_dashboard_names_no_data_source(path):
    sources = re.findall(r'"uid": "(.*)"', path.read_text())
    assert set(sources) == {"${datasource}", read(path)["uid"]}
    for panel in panels(path):
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


@each_dashboard
def test_a_dashboard_uses_the_variables_that_it_has(path):
    dashboard = read(path)
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", path.read_text()))
    assert used == names
    for panel in panels(path):
        for target in panel["targets"]:
            for metric in promql.scraped(target["expr"]):
                selectors = re.findall(rf"\b{metric}\{{(.*?)\}}", target["expr"])
                assert selectors
                assert len(selectors) == len(re.findall(rf"\b{metric}\b", target["expr"]))
                for selector in selectors:
                    assert selector.startswith('namespace=~"$namespace", job=~"$job"')


@each_dashboard
def test_prometheus_takes_the_queries(path, tmp_path):
    rules = [
        {"record": f"panel:query:{number}", "expr": expression}
        for number, expression in enumerate(expressions(path))
    ]
    written = tmp_path / "rules.yaml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", written)


@each_dashboard
def test_queries_ask_for_metrics_and_labels_that_exist(path, scrapes):
    labels: dict[str, set[str]] = {}
    for name, pairs in scrapes:
        labels.setdefault(name, set()).update(dict(pairs))
    for expression in expressions(path):
        metrics = promql.scraped(expression)
        assert metrics <= labels.keys()
        known = set.union(*(labels[metric] for metric in metrics))
        assert promql.grouping(expression) <= known
        for matcher in promql.matchers(expression):
            assert matcher.label in labels[matcher.metric]


@each_dashboard
def test_queries_select_values_that_a_replica_exposes(path, scrapes):
    unseen = {("code", "429"), ("code", "5..")}
    for expression in expressions(path):
        for matcher in promql.matchers(expression):
            values = {
                dict(pairs)[matcher.label] for name, pairs in scrapes if name == matcher.metric
            }
            if (matcher.label, matcher.value) not in unseen:
                assert any(matcher.admits(value) for value in values), matcher


@each_dashboard
def test_a_replica_that_draws_is_seen_in_every_panel(path, scrapes, tmp_path):
    series = [
        {
            "series": f"{name}{{{', '.join(f'{k}={json.dumps(v)}' for k, v in pairs)}}}",
            "values": " ".join(["_"] * (SCRAPES - len(values)) + [repr(v) for v in values]),
        }
        for (name, pairs), values in scrapes.items()
    ]
    seen = [
        {
            "expr": f"count(abs({expression}) >= 0) > bool 0",  # Not a number is nothing to see.
            "eval_time": f"{(SCRAPES - 1) * 15}s",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for expression in expressions(path)
    ]
    written = tmp_path / "dashboard.test.yaml"
    test = {"interval": "15s", "input_series": series, "promql_expr_test": seen}
    written.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    promtool("test", "rules", written)


def test_a_panel_that_an_alert_names_is_there():
    titles = {panel["title"] for path in DASHBOARDS for panel in panels(path)}
    for alert, rule in ALERTS.items():
        named = re.findall(r'panel "(.+?)"', rule["annotations"]["description"])
        assert set(named) <= titles, alert


def test_the_labels_of_targets_are_those_that_the_documentation_asks_for():
    page = (ROOT / "docs/monitoring.md").read_text()
    assert all(f"`{label}`" in page for label in TARGET)
