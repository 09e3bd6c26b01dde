"""What loads TensorFlow or starts a server is no unit test: it belongs into another folder."""

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

HEAVY = {"tensorflow", "tf2onnx", "modelscope", "selenium"}
PROGRAMS = {"helm", "promtool", "nginx", "supervisord", "chromium", "chromedriver", "node"}

_watching = False
_start = subprocess.Popen.__init__


class _NoHeavyPackages(MetaPathFinder, Loader):
    """Finds them, as a test may ask whether they are there, but does not import them."""

    def find_spec(self, name: str, path: Any, _: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if _watching and name in HEAVY else None
        if spec is not None:
            spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        pytest.fail(f"a unit test imports {spec.name}: keep it in another folder than tests/unit")

    def exec_module(self, _: object) -> None:
        """Never come to."""


def _start_if_light(process: "subprocess.Popen[Any]", command: Any, *rest: Any, **how: Any) -> None:
    words = [command] if isinstance(command, str) else [os.fsdecode(word) for word in command]
    if _watching and (Path(words[0]).name in PROGRAMS or "serve" in words):
        pytest.fail(f"a unit test starts {words}: keep it in another folder than tests/unit")
    _start(process, command, *rest, **how)


# Not by an audit hook: it would run in each `sys.settrace`, and while one thread is in it, a thread
# that starts under coverage fails.
sys.meta_path.insert(0, _NoHeavyPackages())
subprocess.Popen.__init__ = _start_if_light  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    with _watching_if_unit(collector):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with _watching_if_unit(item):
        return (yield)


@contextmanager
def _watching_if_unit(node: pytest.Item | pytest.Collector) -> Iterator[None]:
    global _watching  # noqa: PLW0603
    _watching = Path(__file__).parent in node.path.parents
    try:
        yield
    finally:
        _watching = False


@pytest.fixture
def clock() -> Clock:
    return Clock()
