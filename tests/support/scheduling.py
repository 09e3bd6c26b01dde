"""The order of the tests, and what may run beside what: for `pytest --numprocesses`.

By `--dist=loadgroup` each process gets the next group of tests, in the order of their collection.
"""

import fcntl
from collections.abc import Iterator

import pytest
from _pytest.nodeid import NodeId

SLOWEST_FIRST = (
    *("server", "page", "native", "cli", "demo_model", "preparing", "engine", "equivalence"),
    *("hub", "single_host", "k8s", "chart", "docs"),
)
"""Folders of `tests/` whose tests start first, so that no long one starts last."""

TENSORFLOW = ("demo_model", "preparing", "engine")
"""Folders whose tests load TensorFlow: in one process, for that takes seconds."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep tests together that share what their file made once; those marked `alone` come last.

    xdist 3.8 reads a group at the end of a test's id, but cannot write it there with pytest 9.2.
    """
    if getattr(config.option, "loadgroup", False):
        for item in items:
            if group := _group(item):
                item._id = NodeId.parse(f"{item.nodeid}@{group}")

    def place(item: pytest.Item) -> tuple[bool, int]:
        folder = item.nodeid.split("/")[1]
        slow = SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else len(SLOWEST_FIRST)
        return item.get_closest_marker("alone") is not None, slow

    items.sort(key=place)


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("alone"):
        return "alone"
    if item.nodeid.split("/")[1] in TENSORFLOW:
        return "tensorflow"
    if marker := item.get_closest_marker("xdist_group"):
        return str(marker.args[0])
    return item.nodeid.partition("::")[0] if _shares(item) else ""


def _shares(item: pytest.Item) -> bool:
    definitions = item._fixtureinfo.name2fixturedefs.values()
    return any(d[-1].scope in {"module", "class"} for d in definitions)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test that is marked `alone` run when no other process runs one."""
    assert item.config.cache is not None
    with (item.config.cache.mkdir("alone") / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        return (yield)
