"""Promised tests count by name, whatever their parameters and groups."""

from types import SimpleNamespace

import pytest

from tests.support.promises import PromisePlugin


@pytest.mark.parametrize("suffix", ["", "[a-b]", "@group", "[a]@group"])
def test_test_counts_by_its_name(suffix):
    nodeid = f"tests/e2e/test_some.py::test_it{suffix}"
    deselected = PromisePlugin(None)
    deselected.pytest_deselected([SimpleNamespace(nodeid=nodeid)])
    run = PromisePlugin(None)
    for outcome in ("passed", "failed"):
        report = SimpleNamespace(nodeid=nodeid, when="call", passed=False, outcome=outcome)
        run.pytest_runtest_logreport(report)
    name = "tests/e2e/test_some.py::test_it"
    assert deselected.outcomes == {name: {"passed"}}
    assert run.outcomes == {name: {"passed", "failed"}}
