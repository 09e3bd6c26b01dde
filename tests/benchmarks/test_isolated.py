"""An object in a process of its own."""

import os

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

    def exit(self) -> None:
        os._exit(1)


def test_it_keeps_its_state_and_has_an_environment_of_its_own():
    with spawn_object(Counter, 2, environment={"OF_ITS_OWN": "yes"}) as counter:
        assert (counter("add", 3), counter("add", 4)) == (5, 9)
        assert counter("variable", "OF_ITS_OWN") == (counter.process.pid, "yes")
    assert "OF_ITS_OWN" not in os.environ
    assert not counter.process.is_alive()


def test_what_cannot_be_made_is_an_error():
    with pytest.raises(EOFError), spawn_object(Counter):
        pytest.fail("there is no counter")


def test_a_process_that_ended_is_an_error():
    with spawn_object(Counter, 0) as counter, pytest.raises(EOFError):
        counter("exit")
