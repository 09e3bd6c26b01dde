"""The table on moving from ingress-nginx says what the chart renders."""

import re
from typing import Any

import pytest
import yaml

from tests.support.chart import GATEWAY, INGRESS, Objects, merged, render
from tests.support.repo import ROOT

PAGE = ROOT / "docs" / "from-ingress-nginx.md"
HEADINGS = ["setting", "ingress-nginx", "HTTPRoute", "Envoy Gateway policy"]
PREFIX = "nginx.ingress.kubernetes.io/"

EXPOSED = {"hosts": ["e2e.test"], "rateLimit": {"requestsPerSecond": 5, "connections": 7}}


def table() -> dict[str, str]:
    """Return the text of each column."""
    heading = f"| {' | '.join(HEADINGS)} |\n|---|---|---|---|\n"
    rows = PAGE.read_text().split(heading)[1].split("\n\n")[0].splitlines()
    cells = [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in rows]
    return dict(zip(HEADINGS, map("\n".join, zip(*cells, strict=True)), strict=True))


COLUMNS = table()


def rendered(retry_policy: str = "envoy") -> Objects:
    gateway = {"gateway": {"retryPolicy": retry_policy}}
    return render(merged(INGRESS, GATEWAY, {"expose": EXPOSED}, gateway))


def said(column: str) -> list[tuple[str, Any]]:
    """Return the settings that a column gives with their values, as `name: value`."""
    code = re.findall(r"`([^`]+): ([^`]+)`", COLUMNS[column])
    return [(name, yaml.safe_load(value)) for name, value in code]


def at(content: Any, path: str) -> Any:
    """Follow names, and `name[]` into the first of a list; None where there is no such member."""
    for name in path.split("."):
        content = (content or {}).get(name.removesuffix("[]"))
        if name.endswith("[]"):
            content = content[0]
    return content


def test_the_table_has_every_annotation_that_the_chart_sets_with_its_value():
    annotations = {
        name.removeprefix(PREFIX): value
        for name, value in rendered().one("Ingress")["metadata"]["annotations"].items()
        if name.startswith(PREFIX)
    }
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)[:`]", COLUMNS["ingress-nginx"]))
    assert named - {"upstream-keepalive-timeout"} == annotations.keys()
    checked = dict(said("ingress-nginx"))
    del checked["path"]
    assert len(checked) >= 9
    assert checked == {name: annotations[name] for name in checked}


@pytest.mark.parametrize("retry_policy", ["envoy", "httproute"])
def test_the_route_says_what_the_table_says(retry_policy):
    (rule,) = rendered(retry_policy).one("HTTPRoute")["spec"]["rules"]
    checked = [each for each in said("HTTPRoute") if not each[0].startswith(("gateway.", "retry."))]
    assert {name for name, _ in checked} == {"matches[].path.value", "timeouts.request"}
    for name, value in checked:
        assert at(rule, name) == value, name
    assert "backendRequest" not in rule["timeouts"]


def test_retries_are_where_the_table_says():
    found = dict(said("HTTPRoute") + said("Envoy Gateway policy"))
    by_envoy, by_route = rendered("envoy"), rendered("httproute")
    assert "retry" not in by_envoy.one("HTTPRoute")["spec"]["rules"][0]
    retry = by_envoy.one("BackendTrafficPolicy")["spec"]["retry"]
    assert found["retry.numRetries"] == retry["numRetries"]
    assert found["retry.retryOn.httpStatusCodes"] == retry["retryOn"]["httpStatusCodes"]
    assert not by_route.all("BackendTrafficPolicy")
    retry = by_route.one("HTTPRoute")["spec"]["rules"][0]["retry"]
    assert retry == {key: found[f"retry.{key}"] for key in ("attempts", "codes")}


def test_the_policy_says_what_the_table_says():
    spec = rendered().one("BackendTrafficPolicy")["spec"]
    for name, value in said("Envoy Gateway policy"):
        assert at(spec, name) == value, name
    column = COLUMNS["Envoy Gateway policy"]
    named = {name.split(".")[0] for name in re.findall(r"`([\w.]+)[:`]", column)}
    assert named == spec.keys() - {"targetRefs"}
