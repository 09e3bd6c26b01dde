"""The runtime registry is the only list of runtimes; copies elsewhere match it."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from dctnet.config import Settings
from dctnet.models.networks import GENERATORS, file_name, file_names
from dctnet.runtime_registry import REFERENCE, RUNTIMES, SETTING_VALUES
from tests.support.repo import ROOT

NAMES = ", ".join(SETTING_VALUES[:-1]) + f" or {SETTING_VALUES[-1]}"


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_has_a_module(name):
    assert find_spec(f"dctnet.runtimes.{name}")


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_is_a_value_of_the_setting(name):
    assert Settings.from_environment({"DCTNET_RUNTIME": name}).runtime == name


def test_suffixes_are_unique_and_the_reference_reads_frozen_graphs():
    assert len({spec.suffix for spec in RUNTIMES.values()}) == len(RUNTIMES)
    assert RUNTIMES[REFERENCE].suffix == ".pb"


@pytest.mark.parametrize("name", RUNTIMES)
def test_generator_files_include_shared_weights(name):
    for network in GENERATORS:
        weights_from = RUNTIMES[name].weights_from
        others = [file_name(network, weights_from)] if weights_from else []
        assert file_names(network, name) == (file_name(network, name), *others)


def _enums(schema: Any) -> Iterator[list[Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("enum"), list):
            yield schema["enum"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for child in schema:
            yield from _enums(child)


def test_the_chart_allows_the_registered_runtimes():
    schema = json.loads((ROOT / "helm/dctnet/values.schema.json").read_text())
    enums = [enum for enum in _enums(schema) if "onnxruntime" in enum]
    assert enums
    assert all(enum == list(SETTING_VALUES) for enum in enums)


def test_the_settings_page_lists_the_registered_runtimes():
    (row,) = (
        line
        for line in (ROOT / "docs/settings.md").read_text().splitlines()
        if line.startswith("| `DCTNET_RUNTIME` |")
    )
    assert NAMES in row


def test_the_models_page_lists_the_registered_runtimes_in_order():
    page = (ROOT / "docs/models.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    positions = []
    for name, spec in RUNTIMES.items():
        (row,) = (line for line in rows if line.startswith(f"| `{name}` |"))
        assert f"`{spec.suffix}`" in row
        positions.append(rows.index(row))
    assert positions == sorted(positions)
