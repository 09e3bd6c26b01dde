"""Order and grouping of tests for pytest-xdist, and whose coverage is measured.

With `--dist=loadgroup`, each process gets the next group of tests, in collection order.
"""

import fcntl
from collections.abc import Iterator

import pytest
from _pytest.nodeid import NodeId
from coverage import Coverage

SLOWEST_FIRST = (
    *("equivalence", "conversion", "server", "web_ui", "native", "single_host", "chart"),
    *("cli", "hub"),
    *("docs", "runtimes", "k8s"),
)
"""Directories of `tests/` that start first, so that no long test starts last."""

TENSORFLOW = ("shipped_styles", "conversion", "engine")
"""Directories whose tests load TensorFlow, in one process: loading takes seconds."""


MEASURED = ("engine", "equivalence", "unit", "cli", "hub")
"""Directories of tests whose coverage is measured: tracing takes a quarter of the others' time."""

_paused: list[Coverage] = []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group tests that share a module fixture; run those marked `alone` last."""
    for item in items:
        if item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.xdist_group("alone"))
        elif item.nodeid.split("/")[1] in TENSORFLOW:
            item.add_marker(pytest.mark.xdist_group("tensorflow"))
        elif not item.get_closest_marker("xdist_group") and _uses_shared_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))

    def sort_key(item: pytest.Item) -> tuple[bool, int]:
        folder = item.nodeid.split("/")[1]
        slow = SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else len(SLOWEST_FIRST)
        return item.get_closest_marker("alone") is not None, slow

    items.sort(key=sort_key)
    if getattr(config.option, "loadgroup", False):
        for item in items:
            if mark := item.get_closest_marker("xdist_group"):
                # pytest-xdist 3.8 writes the group into `_nodeid`, which pytest 9.2 does not read.
                item._id = NodeId.parse(f"{item.nodeid}@{mark.args[0]}")


def _uses_shared_fixture(item: pytest.Item) -> bool:
    definitions = item._fixtureinfo.name2fixturedefs.values()
    return any(d[-1].scope in {"module", "class"} for d in definitions)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Run a test marked `alone` while no other process runs a test."""
    _measure_coverage(item.nodeid.split("/")[1] in MEASURED)
    assert item.config.cache is not None
    with (item.config.cache.mkdir("alone") / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        return (yield)


def _measure_coverage(wanted: bool) -> None:
    """Start or stop coverage, if pytest runs with it."""
    running = Coverage.current()
    if wanted and _paused:
        _paused.pop().start()
    elif not wanted and running is not None:
        running.stop()
        _paused.append(running)
