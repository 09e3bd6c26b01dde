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
from prometheus_client import generate_latest

from dctnet.metrics import STAGES
from loadtest.client import ClosedLoop, Plan, measure
from loadtest.client_metrics import ClientMetrics
from loadtest.images import SourceImage
from tests.rules.test_rules import (
    ALL,
    RECORDED,
    RULES,
    SLO,
    all_alerts,
    promtool,
    release_rules,
    rendered_groups,
)
from tests.support import dashboards, promql
from tests.support.chart import run_tool
from tests.support.metrics import samples
from tests.support.process import serving
from tests.support.repo import ROOT

DASHBOARDS = sorted(dashboards.FOLDER.glob("*.json"))
each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)

SCRAPES = 6
"""Number of scrapes, with two cartoons in between."""

TARGET_LABELS = {
    "namespace": "images",
    "job": "dctnet",
    "pod": "dctnet-5d4f8b9c7d-abcde",
    "instance": "i",
}
"""Target labels that Prometheus adds to each series, as docs/monitoring.md requires."""

INTERVAL_S = 15

LAST_SCRAPE_S = 3600
"""Time of the last scrape: a full hour, at which series over days are recorded."""

OTHER_EXPORTERS = {
    "kube-state-metrics": {
        'kube_deployment_spec_replicas{namespace="images", deployment="dctnet"}': 2,
        "kube_horizontalpodautoscaler_status_desired_replicas"
        '{namespace="images", horizontalpodautoscaler="keda-hpa-dctnet"}': 3,
        "kube_horizontalpodautoscaler_spec_max_replicas"
        '{namespace="images", horizontalpodautoscaler="dctnet"}': 4,
        'kube_pod_container_resource_limits{namespace="images", pod="dctnet-5d4f8b9c7d-abcde",'
        ' container="dctnet", resource="memory", unit="byte"}': 2e9,
        'kube_pod_container_resource_limits{namespace="images", pod="dctnet-5d4f8b9c7d-abcde",'
        ' container="dctnet", resource="cpu", unit="core"}': 2,
    },
    "cAdvisor": {
        "container_cpu_cfs_throttled_periods_total"
        '{namespace="images", pod="dctnet-5d4f8b9c7d-abcde", container="dctnet"}': 1,
        "container_cpu_cfs_periods_total"
        '{namespace="images", pod="dctnet-5d4f8b9c7d-abcde", container="dctnet"}': 2,
    },
    "Prometheus": {
        'up{namespace="images", job="dctnet", pod="dctnet-5d4f8b9c7d-abcde"}': 1,
        'ALERTS{namespace="images", job="dctnet", alertname="DctnetQueueFull", severity="warning",'
        ' alertstate="firing"}': 1,
    },
}
"""Series of other exporters with a value, as documented: no test runs these exporters."""

Scrapes = dict[tuple[str, frozenset[tuple[str, str]]], list[float]]
"""Values of each series, one per scrape, by name and labels; series that start later have fewer."""

VARIABLES = {"$__rate_interval": "1m"} | dict.fromkeys(
    ["$namespace", "$job", "$pod", "$client"], ".*"
)
"""Grafana's values of variables: a rate interval of four scrapes, and `All`."""

CLIENT_METRICS = {sample.name for it in ClientMetrics().registry.collect() for sample in it.samples}
"""Metrics of the load client."""

PANEL_TYPES = {"stat", "timeseries", "heatmap", "state-timeline", "table"}
"""Panel types built into Grafana."""

UNITS = {"none", "short", "s", "reqps", "ops", "percentunit", "bytes"}
"""Unit IDs of Grafana, which shows an unknown one as a suffix."""


@pytest.fixture(scope="module")
def expositions(tmp_path_factory: pytest.TempPathFactory, astronaut) -> list[str]:
    """Metrics of a real server with a shipped style and of a load client, one text per scrape."""
    portrait = tmp_path_factory.mktemp("scrapes") / "portrait.jpg"
    Image.fromarray(astronaut).resize((256, 256)).save(portrait)  # Large enough for a face.
    image = portrait.read_bytes()
    found = []
    client = ClientMetrics()
    with serving(DCTNET_STYLES="comic") as server:
        one = ClosedLoop(clients=1, requests=1)
        plan = Plan(
            url=f"{server.url}/v1/cartoons",
            images=[SourceImage("portrait", image, "image/jpeg", 256, 256)],
            arrivals=one,
        )
        for _ in range(SCRAPES):
            for response in (
                requests.post(f"{server.url}/upload", files={"file": image}, timeout=60),
                requests.get(server.url, timeout=60),
            ):
                assert response.status_code == 200, response.text
            assert measure(plan, metrics=client).report.ok == 1
            replica = requests.get(f"{server.management}/metrics", timeout=60).text
            found.append(replica + generate_latest(client.registry).decode())
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


def test_dashboards_are_generated():
    assert {path.name: path.read_text() for path in DASHBOARDS} == dashboards.dashboards(), (
        "run `make dashboards`"
    )


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
    assert read(path)["uid"] == f"dctnet-{path.stem}"
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
            metrics = promql.scraped_metrics(target["expr"]) | promql.recorded_series(
                target["expr"]
            )
            for metric in metrics:
                selectors = re.findall(rf"(?<![\w:]){metric}\{{(.*?)\}}", target["expr"])
                assert selectors
                assert len(selectors) == len(re.findall(rf"(?<![\w:]){metric}\b", target["expr"]))
                own = 'namespace=~"$namespace", job=~"$job"'
                if path.stem == "replica":
                    own += ', pod=~"$pod"'
                if metric in CLIENT_METRICS:
                    own = 'instance=~"$client"'
                assert all(selector.startswith(own) for selector in selectors)


COLORS = {
    "green": ("ok", "/^[23]/", "ready"),
    "#8e8e8e": ("client", "/^4/", "stopped"),
    "orange": ("rejected", "/^429/", "draining"),
    "red": ("error", "failed", "/^5/", "stuck", "capacity", "limit", "maximum"),
}
"""Colours by meaning."""


def test_statuses_and_outcomes_have_colors_by_meaning():
    meant = {name: color for color, names in COLORS.items() for name in names}
    seen = {}
    for path in DASHBOARDS:
        for panel in panels(path):
            for override in panel["fieldConfig"]["overrides"]:
                for each in override["properties"]:
                    if each["id"] == "color" and override["matcher"]["options"] in meant:
                        seen[override["matcher"]["options"], each["value"]["fixedColor"]] = panel
            for mapping in panel["fieldConfig"]["defaults"].get("mappings", []):
                options = mapping["options"].values()
                seen |= {
                    (it["text"], it["color"]): panel for it in options if it["text"] != "failed"
                }
    assert {(name, meant[name]) for name, _ in seen if name in meant} <= seen.keys()
    assert {name for name, _ in seen} >= set(meant)
    assert len({name for name, _ in seen}) == len(seen)


def test_stages_are_in_the_order_of_the_pipeline():
    found = [
        tuple(target["legendFormat"] for target in panel["targets"])
        for path in DASHBOARDS
        for panel in panels(path)
        if "stage_duration" in panel["targets"][0]["expr"]
    ]
    assert len(found) == 4
    assert set(found) == {STAGES}


def test_latency_has_exemplars():
    found = [
        target["exemplar"]
        for path in DASHBOARDS
        for panel in panels(path)
        for target in panel["targets"]
        if panel["title"] == "Latency percentiles"
    ]
    assert found == [True] * 6


@each_dashboard
def test_queries_are_valid_promql(path, tmp_path):
    rules = [
        {"record": f"panel:query:{number}", "expr": expression}
        for number, expression in enumerate(expressions(path))
    ]
    written = tmp_path / "rules.yaml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", written)


EXTERNAL = re.compile(r"\b(?:kube|container)_\w+(?=\{)|\b(?:ALERTS|up)(?=\{)")
"""Metrics of other exporters, and Prometheus's own."""


def label_values(scrapes: Scrapes) -> dict[str, dict[str, set[str]]]:
    """Label values that a replica exports, by metric and label."""
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, pairs in scrapes:
        for label, value in pairs:
            seen[name][label].add(value)
    return seen


OTHER_METRICS = {series.split("{")[0] for each in OTHER_EXPORTERS.values() for series in each}
RECORDED_BY_RELEASE = {rule["record"] for rule in release_rules() if "record" in rule}


@each_dashboard
def test_queries_match_exported_metrics_and_labels(path, scrapes):
    seen = label_values(scrapes)
    for expression in expressions(path):
        metrics = promql.scraped_metrics(expression) - {"up"}
        assert metrics <= seen.keys()
        others = set(EXTERNAL.findall(expression)) | promql.recorded_series(expression)
        assert others <= OTHER_METRICS | RECORDED_BY_RELEASE
        if not others:
            labels = set().union(*(seen[metric] for metric in metrics))
            assert promql.grouping_labels(expression) <= labels
        for matcher in promql.label_matchers(expression):
            if matcher.metric not in others:
                values = seen[matcher.metric][matcher.label]
                assert any(matcher.selects(value) for value in values), matcher


@each_dashboard
def test_legends_are_not_cut_off(path, scrapes):
    """Widths were measured with Grafana's own legend at its font size."""
    longest = {"slo": "availability"}
    for _, pairs in scrapes:
        longest |= {k: v for k, v in pairs if len(v) > len(longest.get(k, ""))}
    for panel in panels(path):
        if panel["type"] == "timeseries":
            legend = panel["options"]["legend"]
            assert (legend["displayMode"], legend["placement"]) == ("table", "right")
            names = [
                re.sub(r"{{(\w+)}}", lambda label: longest[label[1]], target["legendFormat"])
                for target in panel["targets"]
            ]
            values = 85 * len(legend["calcs"])  # Such as 1000.00 req/s.
            assert legend["width"] >= 65 + 7 * max(map(len, names)) + values, panel["title"]


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
    """Series for promtool, with changed target labels, up to LAST_SCRAPE_S."""
    scraped = LAST_SCRAPE_S // INTERVAL_S + 1
    return [
        {
            "series": f"{name}{{{', '.join(f'{k}={json.dumps(v)}' for k, v in pairs)}}}",
            "values": f"_x{scraped - len(values)} " + " ".join(map(repr, values)),
        }
        for (name, labelled), values in scrapes.items()
        for pairs in [(dict(labelled) | labels).items()]
    ]


def test_names_units_and_help_of_metrics_are_clean(expositions):
    checked = run_tool("promtool", "check", "metrics", input=expositions[-1])
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def rule_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rules of a release, which record the series of its objectives."""
    (slo,) = [each for each in rendered_groups({}) if each["name"] == SLO]
    written = tmp_path_factory.mktemp("slo") / "slo.yaml"
    written.write_text(yaml.safe_dump({"groups": [slo]}))
    return written


def check_data(path: Path, series: list[dict[str, str]], rule_file: Path, folder: Path) -> None:
    """Fail the test unless each query of a dashboard has data."""
    seen = [
        {
            "expr": f"count(abs({expression}) >= 0) > bool 0",  # NaN is not data.
            "eval_time": f"{LAST_SCRAPE_S}s",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for expression in expressions(path)
    ]
    written = folder / "dashboard.test.yaml"
    test = {"interval": f"{INTERVAL_S}s", "input_series": series, "promql_expr_test": seen}
    rules = {"rule_files": [str(rule_file)], "evaluation_interval": "1m", "tests": [test]}
    written.write_text(yaml.safe_dump(rules))
    promtool("test", "rules", written)


def other_series() -> list[dict[str, str]]:
    samples = LAST_SCRAPE_S // INTERVAL_S
    return [
        {"series": series, "values": f"{value}+{value}x{samples}"}
        for exporter in OTHER_EXPORTERS.values()
        for series, value in exporter.items()
    ]


@each_dashboard
def test_every_panel_has_data_of_a_working_replica(path, scrapes, rule_file, tmp_path):
    check_data(path, input_series(scrapes) + other_series(), rule_file, tmp_path)


@each_dashboard
def test_a_renamed_metric_is_noticed(path, scrapes, rule_file, tmp_path):
    series = input_series(scrapes) + other_series()
    for each in series:
        each["series"] = each["series"].replace("dctnet_load_ratio{", "dctnet_load_average{")
    with pytest.raises(AssertionError, match="dctnet_load_ratio"):
        check_data(path, series, rule_file, tmp_path)


NEEDS = {
    r"\w:dctnet_slo|ALERTS": "the chart's rules",
    r"\bkube_": "kube-state-metrics",
    r"\bcontainer_cpu": "cAdvisor",
}
"""What a query needs beside the metrics of replicas, as its panel's description says."""


@each_dashboard
def test_panels_describe_what_they_need_beside_replicas(path):
    for panel in panels(path):
        queries = " ".join(target["expr"] for target in panel["targets"])
        needed = {text for pattern, text in NEEDS.items() if re.search(pattern, queries)}
        assert needed == {text for text in NEEDS.values() if text in panel["description"]}


def test_rollouts_are_annotated(tmp_path):
    """A new ReplicaSet for a minute, but no new replica of an old one, nor a gap in the scrapes."""
    (expression,) = {
        each["expr"] for path in DASHBOARDS for each in read(path)["annotations"]["list"]
    }
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    build = 'dctnet_build_info{{namespace="images", job="dctnet", pod="dctnet-{}", version="{}"}}'
    series = [
        {"series": build.format("5d4f8b9c7d-aaaaa", "1"), "values": "1x40 _x8 1x60"},
        {"series": build.format("5d4f8b9c7d-bbbbb", "1"), "values": "_x60 1x50"},
        {"series": build.format("7f8a9b9c7d-ccccc", "2"), "values": "_x80 1x40"},
    ]
    labels = '{namespace="images", job="dctnet", replicaset="dctnet-7f8a9b9c7d", version="2"}'
    cases = [
        {"expr": expression, "eval_time": f"{at * 15}s", "exp_samples": samples}
        for at, samples in [
            (30, []),
            (49, []),
            (62, []),
            (81, [{"labels": labels, "value": 1}]),
            (90, []),
        ]
    ]
    written = tmp_path / "rollouts.test.yaml"
    test = {"interval": "15s", "input_series": series, "promql_expr_test": cases}
    written.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    promtool("test", "rules", written)


def all_equal(one: str, other: str) -> dict[str, Any]:
    """A promtool case: two vectors have the same labels and values, and are not empty."""
    one, other = (f"(abs({each}) >= 0)" for each in (one, other))  # NaN equals nothing.
    equal = f"count({one} == {other})"
    return {
        "expr": f"({equal} == count({one})) * 0 + ({equal} == count({other})) * 0",
        "eval_time": f"{LAST_SCRAPE_S}s",
        "exp_samples": [{"labels": "{}", "value": 0}],
    }


def test_a_pod_that_is_scraped_twice_counts_once(scrapes, tmp_path):
    """Annotations and a monitor give two jobs, two targets of one job two instances."""
    recorded = [
        all_equal(
            f'{name}{{job="dctnet"}}',
            f'label_replace({name}{{job="twice"}}, "job", "dctnet", "", "")',
        )
        for name in RECORDED
    ]
    queries = [
        all_equal(query.replace('job=~".*"', 'job="dctnet"'), query)
        for path in DASHBOARDS
        for query in expressions(path)
        # Load clients are no replicas, and rules about one release have one job.
        if not re.search("dctnet_load_(?!ratio)|dctnet_slo|ALERTS", query)
    ]
    series = input_series(scrapes) + other_series()
    for instance in "ab":
        series += input_series(scrapes, job="twice", instance=instance)
    written = tmp_path / "twice.test.yaml"
    test = {"interval": "15s", "input_series": series, "promql_expr_test": recorded + queries}
    groups = {"group_eval_order": ["dctnet.recording"], "evaluation_interval": "1m"}
    written.write_text(yaml.safe_dump({"rule_files": [str(RULES)], **groups, "tests": [test]}))
    promtool("test", "rules", written)


def test_panels_named_by_alerts_and_runbook_exist():
    titles = {panel["title"] for path in DASHBOARDS for panel in panels(path)}
    runbook = " ".join((ROOT / "docs/runbook.md").read_text().split())
    lists = re.findall(r"\bpanels? ((?:\*[^*]+\*(?:, | and )?)+)", runbook)
    named = {title for each in lists for title in re.findall(r"\*([^*]+)\*", each)}
    assert len(named) > 5
    assert named <= titles
    for alert, rule in all_alerts().items():
        named = re.findall(r'panel "(.+?)"', rule["annotations"]["description"])
        assert set(named) <= titles, alert
