"""The table on moving from ingress-nginx says what the chart renders."""

import re
from typing import Any

import pytest
import yaml

from k8s.render import find_helm, template
from tests.support.repo import ROOT

PAGE = ROOT / "docs" / "from-ingress-nginx.md"
HEADINGS = ["what", "ingress-nginx", "HTTPRoute", "Envoy Gateway policy"]
PREFIX = "nginx.ingress.kubernetes.io/"

VALUES = {
    "expose": {"hosts": ["e2e.test"], "rateLimit": {"requestsPerSecond": 5, "connections": 7}},
    "ingress": {"enabled": True},
    "gateway": {"enabled": True, "parentRefs": [{"name": "public"}]},
}


def table() -> list[dict[str, str]]:
    heading = f"| {' | '.join(HEADINGS)} |\n|---|---|---|---|\n"
    rows = PAGE.read_text().split(heading)[1].split("\n\n")[0].splitlines()
    cells = [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in rows]
    return [dict(zip(HEADINGS, row, strict=True)) for row in cells]


ROWS = table()


@pytest.fixture(scope="module", params=["envoy", "httproute"])
def rendered(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The objects by their kind, and by which of the two retries."""
    helm = find_helm()
    if helm is None:
        pytest.skip("needs helm: make tools")
    values = VALUES | {"gateway": VALUES["gateway"] | {"retries": request.param}}
    output = template(helm, "-", yaml.safe_dump(values))
    documents = [document for document in yaml.safe_load_all(output) if document]
    return {"retries": request.param} | {document["kind"]: document for document in documents}


def said(cell: str) -> list[tuple[str, Any]]:
    """Return the settings that a cell gives with their values, as `name: value`."""
    code = re.findall(r"`([^`]+: [^`]+)`", cell)
    return [(name, yaml.safe_load(value)) for name, value in (text.split(": ", 1) for text in code)]


def at(content: Any, path: str) -> Any:
    """Follow names, and `name[]` into the first of a list; None where there is no such member."""
    for name in path.split("."):
        content = (content or {}).get(name.removesuffix("[]"))
        if name.endswith("[]"):
            content = content[0]
    return content


def test_the_table_has_every_annotation_that_the_chart_sets_and_no_other(rendered):
    set_by_chart = {
        name.removeprefix(PREFIX)
        for name in rendered["Ingress"]["metadata"]["annotations"]
        if name.startswith(PREFIX)
    }
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)[:`]", "".join(r["ingress-nginx"] for r in ROWS)))
    assert named - {"upstream-keepalive-timeout"} == set_by_chart


def test_the_annotations_have_the_values_that_the_table_says(rendered):
    annotations = rendered["Ingress"]["metadata"]["annotations"]
    checked = [
        (name, value)
        for row in ROWS
        for name, value in said(row["ingress-nginx"])
        if name != "path"
    ]
    assert len(checked) >= 9
    for name, value in checked:
        assert annotations[PREFIX + name] == value, name


def test_the_route_says_what_the_table_says(rendered):
    rule = rendered["HTTPRoute"]["spec"]["rules"][0]
    checked = [
        (name, value)
        for row in ROWS
        for name, value in said(row["HTTPRoute"])
        if not name.startswith(("gateway.", "retry."))
    ]
    assert {name for name, _ in checked} == {"matches[].path.value", "timeouts.request"}
    for name, value in checked:
        assert at(rule, name) == value, name
    assert "backendRequest" not in rule["timeouts"]


def test_retries_are_where_the_table_says(rendered):
    found = dict(
        setting
        for row in ROWS
        for column in ("HTTPRoute", "Envoy Gateway policy")
        for setting in said(row[column])
    )
    rule = rendered["HTTPRoute"]["spec"]["rules"][0]
    if rendered["retries"] == "envoy":
        assert "retry" not in rule
        retry = rendered["BackendTrafficPolicy"]["spec"]["retry"]
        assert found["retry.numRetries"] == retry["numRetries"]
        assert found["retry.retryOn.httpStatusCodes"] == retry["retryOn"]["httpStatusCodes"]
    else:
        assert "BackendTrafficPolicy" not in rendered
        assert rule["retry"] == {k: found[f"retry.{k}"] for k in ("attempts", "codes")}


@pytest.mark.parametrize("rendered", ["envoy"], indirect=True)
def test_the_policy_says_what_the_table_says(rendered):
    spec = rendered["BackendTrafficPolicy"]["spec"]
    cells = [row["Envoy Gateway policy"] for row in ROWS]
    for name, value in (setting for cell in cells for setting in said(cell)):
        assert at(spec, name) == value, name
    named = {name.split(".")[0] for cell in cells for name in re.findall(r"`([\w.]+)[:`]", cell)}
    assert named == spec.keys() - {"targetRefs"}
