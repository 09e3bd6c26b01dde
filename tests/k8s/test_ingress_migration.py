"""The table in docs/from-ingress-nginx.md matches the rendered objects."""

import re
from typing import Any

import pytest
import yaml

from tests.support.chart import GATEWAY, INGRESS, Objects, merge_values, render
from tests.support.repo import ROOT

PAGE = ROOT / "docs" / "from-ingress-nginx.md"
HEADINGS = ["setting", "ingress-nginx", "HTTPRoute", "Envoy Gateway policy"]
PREFIX = "nginx.ingress.kubernetes.io/"

EXPOSED = {"hosts": ["e2e.test"], "rateLimit": {"requestsPerSecond": 5, "connections": 7}}


def table_columns() -> dict[str, str]:
    """Return the text of each column, by heading."""
    heading = f"| {' | '.join(HEADINGS)} |\n|---|---|---|---|\n"
    rows = PAGE.read_text().split(heading)[1].split("\n\n")[0].splitlines()
    cells = [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in rows]
    return dict(zip(HEADINGS, map("\n".join, zip(*cells, strict=True)), strict=True))


COLUMNS = table_columns()


def render_exposed(retry_policy: str = "envoy") -> Objects:
    gateway = {"gateway": {"retryPolicy": retry_policy}}
    return render(merge_values(INGRESS, GATEWAY, {"expose": EXPOSED}, gateway))


def table_settings(column: str) -> list[tuple[str, Any]]:
    """Return the settings in a column that have the form `name: value`."""
    code = re.findall(r"`([^`]+): ([^`]+)`", COLUMNS[column])
    return [(name, yaml.safe_load(value)) for name, value in code]


def member_at(content: Any, path: str) -> Any:
    """Return the member at a path, or None; `name[]` is the first item of a list."""
    for name in path.split("."):
        content = (content or {}).get(name.removesuffix("[]"))
        if name.endswith("[]"):
            content = content[0]
    return content


def test_table_has_all_annotations_with_their_values():
    annotations = {
        name.removeprefix(PREFIX): value
        for name, value in render_exposed().one("Ingress")["metadata"]["annotations"].items()
        if name.startswith(PREFIX)
    }
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)[:`]", COLUMNS["ingress-nginx"]))
    assert named - {"upstream-keepalive-timeout"} == annotations.keys()
    checked = dict(table_settings("ingress-nginx"))
    del checked["path"]
    assert len(checked) >= 9
    assert checked == {name: annotations[name] for name in checked}


@pytest.mark.parametrize("retry_policy", ["envoy", "httproute"])
def test_httproute_matches_the_table(retry_policy):
    (rule,) = render_exposed(retry_policy).one("HTTPRoute")["spec"]["rules"]
    checked = [
        each
        for each in table_settings("HTTPRoute")
        if not each[0].startswith(("gateway.", "retry."))
    ]
    assert {name for name, _ in checked} == {"matches[].path.value", "timeouts.request"}
    for name, value in checked:
        assert member_at(rule, name) == value, name
    assert "backendRequest" not in rule["timeouts"]


def test_retries_match_the_table():
    documented = dict(table_settings("HTTPRoute") + table_settings("Envoy Gateway policy"))
    by_envoy, by_route = render_exposed("envoy"), render_exposed("httproute")
    assert "retry" not in by_envoy.one("HTTPRoute")["spec"]["rules"][0]
    retry = by_envoy.one("BackendTrafficPolicy")["spec"]["retry"]
    assert documented["retry.numRetries"] == retry["numRetries"]
    assert documented["retry.retryOn.httpStatusCodes"] == retry["retryOn"]["httpStatusCodes"]
    assert not by_route.all("BackendTrafficPolicy")
    retry = by_route.one("HTTPRoute")["spec"]["rules"][0]["retry"]
    assert retry == {key: documented[f"retry.{key}"] for key in ("attempts", "codes")}


def test_policy_matches_the_table():
    spec = render_exposed().one("BackendTrafficPolicy")["spec"]
    for name, value in table_settings("Envoy Gateway policy"):
        assert member_at(spec, name) == value, name
    column = COLUMNS["Envoy Gateway policy"]
    named = {name.split(".")[0] for name in re.findall(r"`([\w.]+)[:`]", column)}
    assert named == spec.keys() - {"targetRefs"}
