"""Whatever values the schema admits, the chart makes valid objects or says why it does not."""

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
    IMAGE,
    SCHEMA,
    Invalid,
    Rejected,
    faults,
    merged,
    nested,
    render,
)
from tests.support.hypothesis_profiles import examples
from tests.support.kubernetes import validation_errors

ASCII = st.characters(codec="ascii", exclude_categories=["Cc"])
TEXTS = st.one_of(
    st.sampled_from(
        ["", "yes", "null", "1e3", "0x1f", "a: b", "- a", "#", "'", '"', "%", "a\nb", "*a"]
    ),
    st.text(ASCII, max_size=20),
)


def admitted(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema admits; where it hands a value on to Kubernetes, the schema's examples."""
    if "examples" in schema:
        return st.sampled_from(schema["examples"])
    if "$ref" in schema:
        return admitted(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]])
    if "allOf" in schema:
        (only,) = schema["allOf"]
        return admitted(only)
    if "anyOf" in schema:
        return st.one_of([admitted(each) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([MAKERS[kind](schema) for kind in kinds])


def strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    longest = schema.get("maxLength", 1000)
    if "pattern" not in schema:
        return TEXTS.filter(lambda text: schema.get("minLength", 0) <= len(text) <= longest)
    pattern = schema["pattern"].removesuffix("$") + r"\Z"  # Python's $ lets a line feed follow.
    return st.from_regex(pattern, alphabet=ASCII).filter(lambda text: len(text) <= longest)


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
    items = admitted(schema["items"])
    return st.lists(items, min_size=schema.get("minItems", 0), max_size=most, unique_by=json.dumps)


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    properties = {key: admitted(each) for key, each in schema.get("properties", {}).items()}
    required = {key: properties.pop(key) for key in schema.get("required", [])}
    named = st.fixed_dictionaries(required, optional=properties)
    more = schema.get("additionalProperties", True)
    if not isinstance(more, dict):
        return named
    others = st.dictionaries(strings(schema["propertyNames"]), admitted(more), max_size=2)
    return st.builds(lambda one, two: two | one, named, others)


MAKERS = {
    "array": arrays,
    "boolean": lambda _: st.booleans(),
    "integer": integers,
    "null": lambda _: st.none(),
    "number": numbers,
    "object": objects,
    "string": strings,
}


def values_of(schema: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """The values that the chart has, by their paths; what lies deeper is not its own."""
    if schema.get("required"):
        found: dict[str, dict[str, Any]] = {}
        for key, inner in schema["properties"].items():
            found |= values_of(inner, f"{path}.{key}" if path else key)
        return found
    return {path: schema}


VALUES = {path: admitted(schema) for path, schema in values_of(SCHEMA).items()}
SECTIONS = sorted({path.rpartition(".")[0] for path in VALUES} - {""})
RELEASES = ["dctnet", "a", "my-dctnet", "a" * 53, f"{'a' * 51}-b", "cartoons-dctnet-2"]
SHAPES = [
    {},
    *(yaml.safe_load(profile.read_text()) for profile in sorted(CHART.glob("ci/*"))),
    {"model": {"cache": {"create": True}, "tokenSecret": {"name": "hub"}}},
    IMAGE,
    {
        "expose": {"hosts": ["a.example.org", "b.example.org"], "tls": {"enabled": True}},
        "ingress": {"enabled": True},
        "gateway": {"enabled": True, "create": True, "className": "envoy"},
    },
    {"metrics": {"podMonitor": {"enabled": True}}, "autoscaling": {"enabled": False}},
]
"""What the draws change: with the default alone they would seldom reach what is off there."""


@st.composite
def some_values(draw: st.DrawFn) -> dict[str, Any]:
    """Values for a few of the chart's keys: with all at once hardly any would fit the others."""
    values: dict[str, Any] = draw(st.sampled_from(SHAPES))
    for path in draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=12, unique=True)):
        values = merged(values, nested(path, draw(VALUES[path])))
    return values


def nulls(value: Any, place: str = "") -> list[str]:
    if isinstance(value, dict):
        return [found for key in value for found in nulls(value[key], f"{place}.{key}")]
    if isinstance(value, list):
        return [
            found for index, each in enumerate(value) for found in nulls(each, f"{place}.{index}")
        ]
    return [place] if value is None else []


def check(values: dict[str, Any], release: str, minor: str) -> str:
    """Say whether they were rejected or rendered; what is rendered must be valid."""
    try:
        made = render(values, release=release, kubernetes=f"{minor}.0")
    except Rejected as rejected:
        event(str(rejected)[:40])
        return "rejected"
    event("rendered")
    assert faults(made, minor) == []
    assert validation_errors(made) == []
    assert [place for each in made for place in nulls(each, each["kind"])] == []
    return "rendered"


# Shrinking renders hundreds of times and takes minutes; a failing example is small enough as it is.
COMMON = {"suppress_health_check": list(HealthCheck), "phases": [Phase.generate]}


@pytest.fixture
def outcomes() -> Iterator[Counter[str]]:
    """How many draws were rendered and rejected: most of them rendered, or guards hide the rest."""
    seen: Counter[str] = Counter()
    yield seen
    assert seen["rendered"] > seen.total() / 2


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
@pytest.mark.parametrize("minor", ["1.29", "1.36"])
@examples(75, **COMMON)
@given(values=some_values(), release=st.sampled_from(RELEASES))
def test_values_that_the_schema_admits_make_valid_objects_or_a_sentence(
    outcomes, minor, values, release
):
    outcomes[check(values, release, minor)] += 1


@examples(30, **COMMON)
@given(some_values(), st.sampled_from(sorted(VALUES) + SECTIONS))
def test_a_value_set_to_null_is_rejected_by_the_schema_or_takes_the_derived_one(values, path):
    """Helm takes null as: forget the default."""
    try:
        check(merged(values, nested(path, None)), "dctnet", "1.36")
    except Invalid:
        event("invalid")


def test_the_schema_rejects_what_it_does_not_know():
    sections = [section for section in SECTIONS if section != "global"]
    with pytest.raises(Invalid) as invalid:
        render(merged({"nonesuch": 1}, *(nested(f"{each}.nonesuch", 1) for each in sections)))
    found = re.findall(
        r"at '(.*)': additional properties 'nonesuch' not allowed", str(invalid.value)
    )
    assert sorted(found) == ["", *(f"/{each.replace('.', '/')}" for each in sections)]
