"""Grafana dashboards: structure, and queries against a real replica's metrics."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from PIL import Image

from tests.rules.test_rules import ALL, RECORDED, RULES, all_alerts, promtool, release_rules
from tests.support import promql
from tests.support.chart import run_tool
from tests.support.metrics import samples
from tests.support.process import serving
from tests.support.repo import ROOT

DASHBOARDS = sorted((ROOT / "helm/dctnet/files/dashboards").glob("*.json"))
each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)

SCRAPES = 6
"""Number of scrapes, with two cartoons in between."""

TARGET_LABELS = {"namespace": "n", "job": "j", "pod": "p", "instance": "i"}
"""Target labels that Prometheus adds to each series, as docs/monitoring.md requires."""

Scrapes = dict[tuple[str, frozenset[tuple[str, str]]], list[float]]
"""Values of each series, one per scrape, by name and labels; series that start later have fewer."""

VARIABLES = {"$__rate_interval": "1m", "$namespace": ".*", "$job": ".*"}
"""Grafana's values of variables: a rate interval of four scrapes, and `All`."""

PANEL_TYPES = {"stat", "timeseries", "heatmap", "state-timeline", "table"}
"""Panel types built into Grafana."""

UNITS = {"none", "short", "s", "reqps", "ops", "percentunit", "bytes"}
"""Unit IDs of Grafana, which shows an unknown one as a suffix."""


@pytest.fixture(scope="module")
def expositions(tmp_path_factory: pytest.TempPathFactory, astronaut) -> list[str]:
    """Metrics of a real server with a shipped style under load, one text per scrape."""
    portrait = tmp_path_factory.mktemp("scrapes") / "portrait.jpg"
    Image.fromarray(astronaut).resize((256, 256)).save(portrait)  # Large enough for a face.
    image = portrait.read_bytes()
    found = []
    with serving(DCTNET_STYLES="comic") as server:
        for _ in range(SCRAPES):
            for response in (
                requests.post(f"{server.url}/v1/cartoons", data=image, timeout=60),
                requests.post(f"{server.url}/upload", files={"file": image}, timeout=60),
                requests.get(server.url, timeout=60),
            ):
                assert response.status_code == 200, response.text
            found.append(requests.get(f"{server.management}/metrics", timeout=60).text)
    return found


@pytest.fixture(scope="module")
def scrapes(expositions) -> Scrapes:
    found: Scrapes = defaultdict(list)
    for text in expositions:
        for sample in samples(text):
            key = sample.name, frozenset((sample.labels | TARGET_LABELS).items())
            found[key].append(sample.value)
    return found


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def panels(path: Path) -> list[dict[str, Any]]:
    return [panel for panel in read(path)["panels"] if panel["type"] != "row"]


def expressions(path: Path) -> list[str]:
    """Queries with Grafana's variables substituted."""
    found = [target["expr"] for panel in panels(path) for target in panel["targets"]]
    for variable, value in VARIABLES.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


@each_dashboard
def test_dashboard_schema_is_grafana_10(path):
    dashboard = read(path)
    assert dashboard["schemaVersion"] >= 39
    assert re.fullmatch(r"[a-z0-9-]{1,40}", dashboard["uid"])
    assert dashboard["title"]
    assert "id" not in dashboard  # An ID is specific to one Grafana.
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


@each_dashboard
def test_panels_have_title_description_and_unit(path):
    titles = [panel["title"] for panel in panels(path)]
    assert len(titles) == len(set(titles))
    for panel in panels(path):
        assert panel["type"] in PANEL_TYPES
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["targets"]


@each_dashboard
def test_panels_do_not_overlap(path):
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
def test_dashboard_names_no_data_source(path):
    sources = re.findall(r'"uid": "(.*)"', path.read_text())
    assert set(sources) == {"${datasource}", read(path)["uid"]}
    for panel in panels(path):
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


@each_dashboard
def test_variables_are_used_in_every_query(path):
    dashboard = read(path)
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", path.read_text()))
    assert used == names
    for panel in panels(path):
        for target in panel["targets"]:
            for metric in promql.scraped_metrics(target["expr"]):
                selectors = re.findall(rf"\b{metric}\{{(.*?)\}}", target["expr"])
                assert selectors
                assert len(selectors) == len(re.findall(rf"\b{metric}\b", target["expr"]))
                for selector in selectors:
                    assert selector.startswith('namespace=~"$namespace", job=~"$job"')


@each_dashboard
def test_queries_are_valid_promql(path, tmp_path):
    rules = [
        {"record": f"panel:query:{number}", "expr": expression}
        for number, expression in enumerate(expressions(path))
    ]
    written = tmp_path / "rules.yaml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", written)


def label_values(scrapes: Scrapes) -> dict[str, dict[str, set[str]]]:
    """Label values that a replica exports, by metric and label."""
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, pairs in scrapes:
        for label, value in pairs:
            seen[name][label].add(value)
    return seen


@each_dashboard
def test_queries_match_exported_metrics_and_labels(path, scrapes):
    seen = label_values(scrapes)
    for expression in expressions(path):
        metrics = promql.scraped_metrics(expression)
        assert metrics <= seen.keys()
        assert promql.grouping_labels(expression) <= set().union(
            *(seen[metric] for metric in metrics)
        )
        for matcher in promql.label_matchers(expression):
            values = seen[matcher.metric][matcher.label]
            assert any(matcher.selects(value) for value in values), matcher


def test_rules_read_only_recorded_or_exported_series(scrapes):
    seen = label_values(scrapes)
    rules = [*ALL, *release_rules()]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        assert promql.recorded_series(rule["expr"]) <= recorded
        assert promql.scraped_metrics(rule["expr"]) <= seen.keys() | {"up"}
        for matcher in promql.label_matchers(rule["expr"]):
            if matcher.metric in seen and matcher.label not in {"namespace", "pod"}:
                values = seen[matcher.metric][matcher.label]
                assert any(matcher.selects(value) for value in values), matcher


def input_series(scrapes: Scrapes, **labels: str) -> list[dict[str, str]]:
    """Series for promtool, with changed target labels."""
    return [
        {
            "series": f"{name}{{{', '.join(f'{k}={json.dumps(v)}' for k, v in pairs)}}}",
            "values": " ".join(["_"] * (SCRAPES - len(values)) + [repr(v) for v in values]),
        }
        for (name, labelled), values in scrapes.items()
        for pairs in [(dict(labelled) | labels).items()]
    ]


def test_names_units_and_help_of_metrics_are_clean(expositions):
    checked = run_tool("promtool", "check", "metrics", input=expositions[-1])
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@each_dashboard
def test_every_panel_has_data_of_a_working_replica(path, scrapes, tmp_path):
    series = input_series(scrapes)
    seen = [
        {
            "expr": f"count(abs({expression}) >= 0) > bool 0",  # NaN is not data.
            "eval_time": f"{(SCRAPES - 1) * 15}s",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for expression in expressions(path)
    ]
    written = tmp_path / "dashboard.test.yaml"
    test = {"interval": "15s", "input_series": series, "promql_expr_test": seen}
    written.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    promtool("test", "rules", written)


def all_equal(one: str, other: str) -> dict[str, Any]:
    """A promtool case: two vectors have the same labels and values, and are not empty."""
    one, other = (f"(abs({each}) >= 0)" for each in (one, other))  # NaN equals nothing.
    equal = f"count({one} == {other})"
    return {
        "expr": f"({equal} == count({one})) * 0 + ({equal} == count({other})) * 0",
        "eval_time": f"{(SCRAPES - 1) * 15}s",
        "exp_samples": [{"labels": "{}", "value": 0}],
    }


def test_a_pod_that_is_scraped_twice_counts_once(scrapes, tmp_path):
    """Annotations and a monitor give two jobs, two targets of one job two instances."""
    recorded = [
        all_equal(f'{name}{{job="j"}}', f'label_replace({name}{{job="twice"}}, "job", "j", "", "")')
        for name in RECORDED
    ]
    queries = [
        all_equal(query.replace('job=~".*"', 'job="j"'), query)
        for path in DASHBOARDS
        for query in expressions(path)
    ]
    series = input_series(scrapes)
    for instance in "ab":
        series += input_series(scrapes, job="twice", instance=instance)
    written = tmp_path / "twice.test.yaml"
    test = {"interval": "15s", "input_series": series, "promql_expr_test": recorded + queries}
    groups = {"group_eval_order": ["dctnet.recording"], "evaluation_interval": "15s"}
    written.write_text(yaml.safe_dump({"rule_files": [str(RULES)], **groups, "tests": [test]}))
    promtool("test", "rules", written)


def test_panels_named_by_alerts_exist():
    titles = {panel["title"] for path in DASHBOARDS for panel in panels(path)}
    for alert, rule in all_alerts().items():
        named = re.findall(r'panel "(.+?)"', rule["annotations"]["description"])
        assert set(named) <= titles, alert
