"""Objects in isolated processes."""

import os
import sys

import pytest

from benchmarks.isolated import spawn_object


class Counter:
    def __init__(self, start: int) -> None:
        self._count = start

    def add(self, number: int) -> int:
        self._count += number
        return self._count

    def variable(self, name: str) -> tuple[int, str | None]:
        return os.getpid(), os.environ.get(name)

    def first_path(self) -> str:
        return sys.path[0]

    def exit(self) -> None:
        os._exit(1)


def test_object_has_its_own_state_and_environment():
    with spawn_object(Counter, 2, environment={"OF_ITS_OWN": "yes"}) as counter:
        assert (counter("add", 3), counter("add", 4)) == (5, 9)
        assert counter("variable", "OF_ITS_OWN") == (counter.process.pid, "yes")
    assert "OF_ITS_OWN" not in os.environ
    assert not counter.process.is_alive()


def test_object_imports_from_its_paths_first(tmp_path):
    before = list(sys.path)
    with spawn_object(Counter, 0, paths=[str(tmp_path)]) as counter:
        assert counter("first_path") == str(tmp_path)
    assert sys.path == before


def test_failed_constructor_raises():
    with pytest.raises(EOFError), spawn_object(Counter):
        pytest.fail("there is no counter")


def test_exited_process_raises():
    with spawn_object(Counter, 0) as counter, pytest.raises(EOFError):
        counter("exit")
