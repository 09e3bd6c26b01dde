"""Random values that the schema admits render valid objects or fail validation."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, event, given
from hypothesis import strategies as st

from tests.support.chart import (
    CHART,
    DEFINITIONS,
    IMAGE,
    JOB,
    MODELSCOPE,
    SCHEMA,
    Invalid,
    Rejected,
    merge_values,
    nest_value,
    render,
    schema_errors,
)
from tests.support.hypothesis_profiles import examples
from tests.support.kubernetes import validation_errors

ASCII = st.characters(codec="ascii", exclude_categories=["Cc"])
WORDS = ["yes", "no", "on", "null", "1e3", "0x1f", "007", "=", "<<"]
"""Texts that YAML reads as other types, or gives a meaning."""
TEXTS = st.one_of(
    st.sampled_from(["", *WORDS, "a: b", "- a", "#", "'", '"', "%", "a\nb", "*a"]),
    st.text(ASCII, max_size=20),
)


def strategy_for(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a schema; values passed through to Kubernetes come from examples."""
    if values := schema.get("examples") or schema.get("enum"):
        return st.sampled_from(values)
    if "$ref" in schema:
        return strategy_for(DEFINITIONS[schema["$ref"].rpartition("/")[2]])
    if "allOf" in schema:
        (only,) = schema["allOf"]
        return strategy_for(only)
    if "anyOf" in schema:
        return st.one_of([strategy_for(each) for each in schema["anyOf"]])
    if "not" in schema:  # Of a string; the schema's generator then leaves out the type.
        unlike = re.compile(schema["not"]["pattern"])
        return strings(schema).filter(lambda text: not unlike.search(text))
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([STRATEGIES[kind](schema) for kind in kinds])


def strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    longest = schema.get("maxLength", 1000)
    if "pattern" not in schema:
        return TEXTS.filter(lambda text: schema.get("minLength", 0) <= len(text) <= longest)
    pattern = (
        schema["pattern"].removesuffix("$") + r"\Z"
    )  # In Python, $ also matches before a newline.
    matching = st.from_regex(pattern, alphabet=ASCII).filter(lambda text: len(text) <= longest)
    words = [word for word in WORDS if re.match(pattern, word) and len(word) <= longest]
    return st.one_of(matching, st.sampled_from(words)) if words else matching


def integers(schema: dict[str, Any]) -> st.SearchStrategy[int]:
    least, most = schema["minimum"], schema.get("maximum", 2**40)
    near = st.integers(least, min(most, least + 20))
    return st.one_of(near, st.sampled_from([least, most]), st.integers(least, most))


def numbers(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", 2**40)
    floats = st.floats(least, most, exclude_min="exclusiveMinimum" in schema)
    return st.one_of(floats, st.integers(int(least) + 1, int(most)))


def arrays(schema: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    most = min(schema.get("maxItems", 3), 3)
    items = strategy_for(schema["items"])
    return st.lists(items, min_size=schema.get("minItems", 0), max_size=most, unique_by=json.dumps)


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    properties = {key: strategy_for(each) for key, each in schema.get("properties", {}).items()}
    required = {key: properties.pop(key) for key in schema.get("required", [])}
    named = st.fixed_dictionaries(required, optional=properties)
    more = schema.get("additionalProperties", True)
    if not isinstance(more, dict):
        return named
    others = st.dictionaries(strings(schema["propertyNames"]), strategy_for(more), max_size=2)
    return st.builds(lambda one, two: two | one, named, others)


STRATEGIES = {
    "array": arrays,
    "boolean": lambda _: st.booleans(),
    "integer": integers,
    "null": lambda _: st.none(),
    "number": numbers,
    "object": objects,
    "string": strings,
}


def value_schemas(schema: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Return the schema of each value of the chart, by path."""
    if schema.get("required"):
        result: dict[str, dict[str, Any]] = {}
        for key, inner in schema["properties"].items():
            result |= value_schemas(inner, f"{path}.{key}" if path else key)
        return result
    return {path: schema}


REPLACED = {"model.style", "model.digest"}  # Always rejected: test_validation.py.
VALUES = {
    path: strategy_for(schema)
    for path, schema in value_schemas(SCHEMA).items()
    if path not in REPLACED
}
SECTIONS = sorted({path.rpartition(".")[0] for path in VALUES} - {""})
RELEASES = ["dctnet", "a", "my-dctnet", "a" * 53, f"{'a' * 51}-b", "cartoons-dctnet-2"]
BASE_VALUES = [
    {},
    *(yaml.safe_load(profile.read_text()) for profile in sorted(CHART.glob("ci/*"))),
    MODELSCOPE,
    merge_values(JOB, {"model": {"tokenSecret": {"name": "hub"}}}),
    IMAGE,
    {"model": {"source": "baked", "styles": ["anime", "3d-converted", "mine"]}},
    {
        "expose": {"hosts": ["a.example.org", "b.example.org"], "tls": {"enabled": True}},
        "ingress": {"enabled": True},
        "gateway": {"enabled": True, "create": True, "className": "envoy"},
    },
    {"metrics": {"podMonitor": {"enabled": True}}, "autoscaling": {"enabled": False}},
]
"""Values that random ones are merged over, to reach features that are off by default."""

LOAD_BALANCER = {"service": {"type": "LoadBalancer"}}
NEEDED = {
    "service.externalTrafficPolicy": LOAD_BALANCER,
    "service.loadBalancerClass": LOAD_BALANCER,
    "service.loadBalancerSourceRanges": LOAD_BALANCER,
    "service.nodePort": LOAD_BALANCER,
    "service.sessionAffinityTimeoutSeconds": {"service": {"sessionAffinity": "ClientIP"}},
    "metrics.podMonitor.tlsConfig": {"metrics": {"podMonitor": {"scheme": "https"}}},
    "metrics.serviceMonitor.tlsConfig": {"metrics": {"serviceMonitor": {"scheme": "https"}}},
}
"""Values without which validation rejects a value."""


@st.composite
def random_values(draw: st.DrawFn) -> dict[str, Any]:
    """Random values for a few keys; with all at once, hardly any would pass validation."""
    values: dict[str, Any] = draw(st.sampled_from(BASE_VALUES))
    for path in draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=12, unique=True)):
        values = merge_values(values, NEEDED.get(path, {}), nest_value(path, draw(VALUES[path])))
    return values


def null_paths(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [result for key in value for result in null_paths(value[key], f"{path}.{key}")]
    if isinstance(value, list):
        return [
            result
            for index, each in enumerate(value)
            for result in null_paths(each, f"{path}.{index}")
        ]
    return [path] if value is None else []


def assert_valid_or_rejected(values: dict[str, Any], release: str, minor: str) -> str:
    """Render values; return `rejected`, or `rendered` if all objects are valid."""
    try:
        rendered = render(values, release=release, kubernetes=f"{minor}.0")
    except Rejected as rejected:
        event(str(rejected)[:40])
        return "rejected"
    event("rendered")
    assert schema_errors(rendered, minor) == []
    assert validation_errors(rendered) == []
    assert [path for each in rendered for path in null_paths(each, each["kind"])] == []
    return "rendered"


# No shrinking: it would take minutes, and failing examples are small.
COMMON = {"suppress_health_check": list(HealthCheck), "phases": [Phase.generate]}


@pytest.fixture
def outcomes() -> Iterator[Counter[str]]:
    """Count outcomes; most must be rendered, or validation would hide errors in templates."""
    seen: Counter[str] = Counter()
    yield seen
    assert seen["rendered"] > seen.total() / 2


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
@pytest.mark.parametrize("minor", ["1.29", "1.36"])
@examples(75, **COMMON)
@given(values=random_values(), release=st.sampled_from(RELEASES))
def test_random_values_render_valid_objects_or_fail_validation(outcomes, minor, values, release):
    outcomes[assert_valid_or_rejected(values, release, minor)] += 1


@examples(30, **COMMON)
@given(random_values(), st.sampled_from(sorted(VALUES) + SECTIONS))
def test_null_is_rejected_or_derived(values, path):
    """In Helm, null removes the default."""
    try:
        assert_valid_or_rejected(merge_values(values, nest_value(path, None)), "dctnet", "1.36")
    except Invalid:
        event("invalid")


def test_schema_rejects_unknown_values():
    sections = [section for section in SECTIONS if section != "global"]
    with pytest.raises(Invalid) as invalid:
        render(
            merge_values({"nonesuch": 1}, *(nest_value(f"{each}.nonesuch", 1) for each in sections))
        )
    result = re.findall(
        r"at '(.*)': additional properties 'nonesuch' not allowed", str(invalid.value)
    )
    assert sorted(result) == ["", *(f"/{each.replace('.', '/')}" for each in sections)]
