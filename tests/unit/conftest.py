"""What loads TensorFlow or starts a server is no unit test: it belongs into another folder."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.admission import Clock

HEAVY = {"tensorflow", "tf2onnx", "modelscope", "selenium"}
PROGRAMS = {"helm", "promtool", "nginx", "supervisord", "chromium", "chromedriver", "node"}

_watching = False


def _refuse(event: str, details: tuple[object, ...]) -> None:
    """Fail a unit test that imports a heavy package or starts such a program."""
    if not _watching:
        return
    if event == "import" and str(details[0]).partition(".")[0] in HEAVY:
        pytest.fail(f"a unit test imports {details[0]}: keep it in another folder than tests/unit")
    if event == "subprocess.Popen":
        command = [os.fsdecode(word) for word in details[1] or ()]
        if Path(command[0]).name in PROGRAMS or "serve" in command:
            pytest.fail(f"a unit test starts {command}: keep it in another folder than tests/unit")


sys.addaudithook(_refuse)


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
