"""Unit tests fail if they import heavy packages or start servers or browsers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import pytest

from tests.support.admission import Clock

FORBIDDEN_PACKAGES = {"tensorflow", "tf2onnx", "modelscope", "selenium"}
FORBIDDEN_PROGRAMS = {
    "helm",
    "promtool",
    "nginx",
    "supervisord",
    "chromium",
    "chromedriver",
    "node",
}

_is_unit_test_running = False
_start_process = subprocess.Popen.__init__


class ForbiddenPackageFinder(MetaPathFinder, Loader):
    """Finds heavy packages, for `find_spec`, but fails their import."""

    def find_spec(self, name: str, path: Any, _: object = None) -> ModuleSpec | None:
        spec = (
            PathFinder.find_spec(name, path)
            if _is_unit_test_running and name in FORBIDDEN_PACKAGES
            else None
        )
        if spec is not None:
            spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        pytest.fail(f"a unit test imports {spec.name}: keep it in another folder than tests/unit")

    def exec_module(self, _: object) -> None:
        """Unreachable: create_module fails."""


def _start_if_allowed(
    process: "subprocess.Popen[Any]", command: Any, *rest: Any, **how: Any
) -> None:
    words = [command] if isinstance(command, str) else [os.fsdecode(word) for word in command]
    if _is_unit_test_running and (Path(words[0]).name in FORBIDDEN_PROGRAMS or "serve" in words):
        pytest.fail(f"a unit test starts {words}: keep it in another folder than tests/unit")
    _start_process(process, command, *rest, **how)


# No audit hook: it would run in each `sys.settrace`, and a thread that starts meanwhile fails under
# coverage.
sys.meta_path.insert(0, ForbiddenPackageFinder())
subprocess.Popen.__init__ = _start_if_allowed  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    with _mark_unit_test(collector):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with _mark_unit_test(item):
        return (yield)


@contextmanager
def _mark_unit_test(node: pytest.Item | pytest.Collector) -> Iterator[None]:
    global _is_unit_test_running  # noqa: PLW0603
    _is_unit_test_running = Path(__file__).parent in node.path.parents
    try:
        yield
    finally:
        _is_unit_test_running = False


@pytest.fixture
def clock() -> Clock:
    return Clock()
