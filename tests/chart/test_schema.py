"""values.schema.json: complete, closed, bounded, and in sync with ``values.yaml``."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.chart import (
    CHART,
    DEFAULTS,
    SCHEMA,
    assert_schema_rejects,
    render,
    run_tool,
    schema_at,
)

PASSED_THROUGH = "Passed through: Kubernetes validates the rest."


def descriptions(schema: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Return the description of each value that has one, by the value's path."""
    result: dict[tuple[str, ...], str] = {}
    for key, inner in schema.get("properties", {}).items():
        if "description" in inner:
            result[*path, key] = inner["description"]
        result |= descriptions(inner, (*path, key))
    return result


DESCRIPTIONS = descriptions(SCHEMA)
PARENT_CONDITION = ("enabled",)  # A property without a default: the condition of a parent chart.
REPLACED = {("model", "style"), ("model", "digest")}  # The chart says what replaces them.


def leaf_paths(values: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(values, dict) or not values:
        return [path]
    return [leaf for key, value in values.items() for leaf in leaf_paths(value, (*path, key))]


def test_all_values_have_a_description():
    undescribed = [
        path
        for path in leaf_paths(DEFAULTS)
        if not any(path[:length] in DESCRIPTIONS for length in range(1, len(path) + 1))
    ]
    assert undescribed == []
    assert len(DESCRIPTIONS) > 150


def test_schema_and_readme_have_the_same_descriptions():
    """Two programs read them from values.yaml: helm-values-schema-json and helm-docs."""
    rows = re.findall(
        r"^\| ([\w.]+) \| \w+ \| `.*` \| (.+) \|$", (CHART / "README.md").read_text(), re.MULTILINE
    )
    without_default = {PARENT_CONDITION, *REPLACED}
    expected = {path: text for path, text in DESCRIPTIONS.items() if path not in without_default}
    assert {tuple(value.split(".")): description for value, description in rows} == expected


def test_all_values_have_a_type():
    typed = {"type", "enum", "anyOf", "allOf"}
    assert [path for path in DESCRIPTIONS if not typed & schema_at(path).keys()] == []


def test_schema_has_only_values_of_the_chart():
    def keys(schema: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        result = []
        for key, inner in schema.get("properties", {}).items():
            result.append((*path, key))
            if (*path, key) not in DESCRIPTIONS:
                result += keys(inner, (*path, key))
        return result

    leaves = leaf_paths(DEFAULTS)
    known = {path[:length] for path in leaves for length in range(1, len(path) + 1)}
    assert set(keys(SCHEMA)) - known == {PARENT_CONDITION, *REPLACED}


def subschemas(schema: Any, where: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Return all subschemas with their paths."""
    result: list[tuple[str, dict[str, Any]]] = []
    if isinstance(schema, dict):
        if "type" in schema and not isinstance(schema["type"], dict):
            result.append((where, schema))
        for key, inner in schema.items():
            if key not in {"examples", "default", "enum"}:
                result += subschemas(inner, f"{where}/{key}")
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            result += subschemas(inner, f"{where}/{index}")
    return result


def types(schema: dict[str, Any]) -> list[str]:
    return schema["type"] if isinstance(schema["type"], list) else [schema["type"]]


def test_schema_rejects_additional_properties():
    is_open = [
        where
        for where, each in subschemas(SCHEMA)
        if "object" in types(each)
        and each.get("additionalProperties", True) is True
        and each.get("$comment") != PASSED_THROUGH
    ]
    # Shared globals, and fields that Kubernetes defines in values passed through.
    definitions = "/$defs/definitions.yaml/$defs"
    assert set(is_open) == {
        "/properties/global",
        f"{definitions}/topologySpreadConstraints/items",
        f"{definitions}/envVar/properties/valueFrom",
        f"{definitions}/object/properties/metadata",
    }


def test_values_left_open_refer_to_a_definition():
    """Without a type, the test above does not see them; it sees their definition."""
    is_open = [
        path
        for path in DESCRIPTIONS
        if "type" not in schema_at(path) and "additionalProperties" in schema_at(path)
    ]
    assert len(is_open) > 20
    keys = [{key for each in schema_at(path)["allOf"] for key in each} for path in is_open]
    assert all(each == {"$ref"} for each in keys)


def test_only_values_that_may_be_null_are_not_required():
    """In Helm, null removes a default, so a value that is not required may be null."""

    def optional(schema: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        result = []
        for key, inner in schema["properties"].items():
            if key not in schema.get("required", []):
                result.append((*path, key))
            if "properties" in inner:
                result += optional(inner, (*path, key))
        return result

    paths = optional(SCHEMA)
    assert len(paths) > 5
    rejects_null = [
        path
        for path in paths
        if not jsonschema.Draft7Validator({**schema_at(path), "$defs": SCHEMA["$defs"]}).is_valid(
            None
        )
    ]
    assert sorted(rejects_null) == sorted([PARENT_CONDITION, *REPLACED])


def test_all_numbers_have_bounds():
    unbounded = [
        where
        for where, each in subschemas(SCHEMA)
        if {"integer", "number"} & set(types(each))
        and not {"minimum", "exclusiveMinimum"} & set(each)
    ]
    assert unbounded == []


def test_schema_is_valid_draft_7():
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(DEFAULTS)


def test_examples_are_valid():
    tried = 0
    for _, each in subschemas(SCHEMA):
        for example in each.get("examples", []):
            resolver = {**each, "$defs": SCHEMA["$defs"]}
            jsonschema.Draft7Validator(resolver).validate(example)
            tried += 1
    assert tried >= 15


def generate_schema(chart: Path, output: Path) -> str:
    run = run_tool("helm-values-schema-json", "--output", output, cwd=chart)
    assert run.returncode == 0, run.stderr
    return output.read_text()


def test_schema_is_up_to_date(tmp_path):
    schema = generate_schema(CHART, tmp_path / "values.schema.json")
    assert schema == (CHART / "values.schema.json").read_text(), "make chart-docs"


def test_schema_changes_with_descriptions_and_constraints(tmp_path):
    shutil.copytree(CHART, tmp_path / "chart")
    values = tmp_path / "chart/values.yaml"
    original = values.read_text()
    schemas = {(CHART / "values.schema.json").read_text()}
    for old, new in [
        ("# -- Image repository.", "# -- Repository."),
        ("maximum: 74", "maximum: 75"),
    ]:
        assert old in original
        values.write_text(original.replace(old, new))
        schemas.add(generate_schema(tmp_path / "chart", tmp_path / "values.schema.json"))
    assert len(schemas) == 3


def test_readme_is_up_to_date():
    options = ["--dry-run", "--log-level=warning", "--sort-values-order=file"]
    run = run_tool("helm-docs", *options, "--chart-search-root", CHART.parent)
    assert run.returncode == 0
    assert run.stdout.rstrip() == (CHART / "README.md").read_text().rstrip(), "make chart-docs"


def test_schema_rejects_invalid_values():
    intervals = ["15", "0s", "1d2", 15]  # Not durations of Prometheus.
    assert_schema_rejects(
        [
            ("image.tag", 1.1),
            ("image.digest", "sha256:abc"),
            *((f"{each}imagePullSecrets", ["a registry"]) for each in ("", "global.")),
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
            ("model.styles", "anime"),
            ("model.styles", [3]),
            ("model.digests", {"anime": "sha256:abc"}),
            ("model.digests", {"a/b": "0" * 64}),
            ("model.image.references", {"anime": ""}),
            ("podDisruptionBudget.minAvailable", "101%"),
            ("service.port", 65536),
            ("autoscaling.minReplicas", 0),
            *(("metrics.serviceMonitor.interval", interval) for interval in intervals),
            *(("metrics.podMonitor.interval", interval) for interval in intervals),
            ("minReadySeconds", 3601),
            ("dnsPolicy", "ClusterFirstWithHostNet"),
            ("dnsConfig", {"nameservers": ["resolver.example.org"]}),
            ("dnsConfig", {"nameservers": [f"10.0.0.{each}" for each in range(4)]}),
            ("hostAliases", [{"ip": "10.0.0.1"}]),
            ("lifecycle", {"stopSignal": "SIGKILL"}),  # The service ignores other signals.
            ("lifecycle", {"preStop": {"sleep": {"seconds": 1}, "exec": {"command": ["true"]}}}),
            ("lifecycle", {"preStop": {}}),
            ("lifecycle", {"preStop": {"sleep": {"seconds": 3601}}}),
            ("service.clusterIP", "10.96.0"),
            ("service.sessionAffinityTimeoutSeconds", 86401),
            ("metrics.serviceMonitor.sampleLimit", 0),
            ("gateway.infrastructure", {"labels": {f"a{each}": "b" for each in range(9)}}),
            # A section must be an object.
            *(("timeouts", nothing) for nothing in (None, 0, "yes", [])),
        ]
    )


def test_parent_chart_may_set_globals_and_condition():
    assert render({"enabled": True, "global": {"storageClass": "fast"}}).deployment


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_defaults_are_removed_through_a_parent_chart(helm, tmp_path):
    shutil.copytree(CHART, tmp_path / "charts/dctnet")
    dependency = "dependencies: [{name: dctnet, version: 0.1.0}]\n"
    (tmp_path / "Chart.yaml").write_text(
        f"apiVersion: v2\nname: parent\nversion: 1.0.0\n{dependency}"
    )
    removed = {
        "model": {"source": "demo"},
        "resources": {"limits": {"cpu": None, "memory": None}},
        "podSecurityContext": {"runAsUser": None},
    }
    options = ("--kube-version", "1.36.0", "--show-only", "charts/dctnet/templates/deployment.yaml")
    run = run_tool(
        *(helm, "template", "parent", tmp_path, *options, "--values", "-"),
        input=json.dumps({"dctnet": removed}),
    )
    assert run.returncode == 0, run.stderr
    spec = yaml.safe_load(run.stdout)["spec"]["template"]["spec"]
    assert "runAsUser" not in spec["securityContext"]
    (container,) = spec["containers"]
    assert container["resources"] == {"requests": {"cpu": "1", "memory": "850Mi"}}
