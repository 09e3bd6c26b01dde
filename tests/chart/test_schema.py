"""The schema and the README say of every value what ``values.yaml`` says of it."""

import importlib.util
import shutil
import subprocess
import sys
from typing import Any

import jsonschema

from tests.support.chart import (
    CHART,
    DEFAULTS,
    SCHEMA,
    assert_schema_rejects,
    render,
    run_tool,
    schema_at,
)

PASSED_ON = "Passed on as it is: Kubernetes says what else may be in it."

spec = importlib.util.spec_from_file_location("describe", CHART.parent / "describe.py")
assert spec
assert spec.loader
describe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(describe)

TEXTS = describe.comments((CHART / "values.yaml").read_text())


def leaves(values: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(values, dict) or not values:
        return [path]
    return [leaf for key, value in values.items() for leaf in leaves(value, (*path, key))]


def test_every_value_is_described_by_a_comment():
    undescribed = [
        path
        for path in leaves(DEFAULTS)
        if not any(path[:length] in TEXTS for length in range(1, len(path) + 1))
    ]
    assert undescribed == []
    assert len(TEXTS) > 150


def test_every_value_is_in_the_schema_and_described_there():
    assert {path: schema_at(path)["description"] for path in TEXTS} == TEXTS
    typed = {"type", "enum", "anyOf", "allOf"}
    assert [path for path in TEXTS if not typed & schema_at(path).keys()] == []


def test_the_schema_has_no_value_that_the_chart_has_not():
    def keys(schema: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = []
        for key, inner in schema.get("properties", {}).items():
            found.append((*path, key))
            if (*path, key) not in TEXTS:
                found += keys(inner, (*path, key))
        return found

    known = {path[:length] for path in TEXTS for length in range(1, len(path) + 1)}
    assert set(keys(SCHEMA)) - known == {("enabled",)}  # A parent chart's condition.


def parts(schema: Any, where: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Each schema in the schema."""
    found: list[tuple[str, dict[str, Any]]] = []
    if isinstance(schema, dict):
        if "type" in schema and not isinstance(schema["type"], dict):
            found.append((where, schema))
        for key, inner in schema.items():
            if key not in {"examples", "default", "enum"}:
                found += parts(inner, f"{where}/{key}")
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            found += parts(inner, f"{where}/{index}")
    return found


def kinds(schema: dict[str, Any]) -> list[str]:
    return schema["type"] if isinstance(schema["type"], list) else [schema["type"]]


def test_the_schema_is_closed_wherever_the_chart_owns_the_shape():
    is_open = [
        where
        for where, each in parts(SCHEMA)
        if "object" in kinds(each)
        and "additionalProperties" not in each
        and each.get("$comment") != PASSED_ON
    ]
    # What charts share, and what Kubernetes defines inside the values that are passed on.
    assert {where.removeprefix("/properties/") for where in is_open} == {
        "global",
        "topologySpreadConstraints/items",
        "extraEnv/items/properties/valueFrom",
        "extraObjects/items/properties/metadata",
    }


def test_every_number_has_bounds():
    unbounded = [
        where
        for where, each in parts(SCHEMA)
        if {"integer", "number"} & set(kinds(each))
        and not {"minimum", "exclusiveMinimum"} & set(each)
    ]
    assert unbounded == []


def test_it_is_a_schema_of_draft_7():
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(DEFAULTS)


def test_the_examples_of_what_is_passed_on_fit_it():
    tried = 0
    for _, each in parts(SCHEMA):
        for example in each.get("examples", []):
            resolver = {**each, "definitions": SCHEMA["definitions"]}
            jsonschema.Draft7Validator(resolver).validate(example)
            tried += 1
    assert tried >= 15


def test_a_changed_comment_is_seen(tmp_path):
    shutil.copytree(CHART.parent, tmp_path / "helm")
    values = tmp_path / "helm/dctnet/values.yaml"
    command = [sys.executable, str(tmp_path / "helm/describe.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0
    values.write_text(values.read_text().replace("# -- Repository.", "# -- Its repository."))
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "make chart-docs" in run.stderr


def test_the_readme_is_as_make_chart_docs_leaves_it():
    options = ["--dry-run", "--log-level=warning", "--sort-values-order=file"]
    run = run_tool("helm-docs", *options, "--chart-search-root", CHART.parent)
    assert run.returncode == 0
    assert run.stdout.rstrip() == (CHART / "README.md").read_text().rstrip(), "make chart-docs"


def test_a_value_that_would_break_later_is_rejected_at_once():
    intervals = ["15", "0s", "1d2", 15]  # None is written as Prometheus reads it.
    assert_schema_rejects(
        [
            ("image.tag", 1.1),
            ("image.digest", "sha256:abc"),
            *((f"{each}imagePullSecrets", ["registry"]) for each in ("", "global.")),
            *((f"{each}imagePullSecrets", [{"key": "registry"}]) for each in ("", "global.")),
            ("podAnnotations", {"a": True}),
            ("extraEnv", [{"name": "A", "value": 1}]),
            ("networkPolicy.modelSource.cidrs", []),
            ("networkPolicy.modelSource.cidrs", ["10.0.0.0"]),
            ("networkPolicy.modelSource.ports", []),
            ("resources", {"limits": {"cpu": "two"}}),
            ("resources", {"limits": {"cpu": 0}}),
            ("model.source", "hub"),
            ("model.existingClaim.path", "../other"),
            ("model.existingClaim.path", "/absolute"),
            ("podDisruptionBudget.minAvailable", "101%"),
            ("service.port", 65536),
            ("autoscaling.minReplicas", 0),
            *(("metrics.serviceMonitor.interval", interval) for interval in intervals),
            *(("metrics.podMonitor.interval", interval) for interval in intervals),
            # A section must be one.
            *(("timeouts", nothing) for nothing in (None, 0, "yes", [])),
        ]
    )


def test_a_chart_that_has_this_one_in_it_may_share_globals_and_a_condition():
    assert render({"enabled": True, "global": {"storageClass": "fast"}}).deployment
