"""What a replica goes through when it is told to end."""

from pathlib import Path
from threading import Event
from threading import enumerate as all_threads
from typing import NoReturn

from dctnet.config import Settings
from dctnet.lifecycle.state import State
from dctnet.models.folder import ModelFolder
from dctnet.replica import Replica
from tests.support.polling import until

MODEL = ModelFolder(Path("tiny"), "tiny", "example/tiny", "v1", None, "unpinned")


def test_a_replica_drains_and_is_stopped_when_all_is_answered():
    replica = Replica(Settings.from_environment({}), MODEL)
    replica.drain()
    assert replica.lifecycle.state is State.DRAINING
    replica.end()
    assert replica.lifecycle.state is State.STOPPED


def test_a_replica_that_was_not_told_to_end_is_not_stopped():
    replica = Replica(Settings.from_environment({}), MODEL)
    replica.end()
    assert replica.lifecycle.state is State.STARTING


def test_a_replica_s_running_clock_ticks_from_its_start_to_its_end():
    def load(_: Settings) -> NoReturn:
        loaded.wait()
        raise AssertionError

    def ticks() -> bool:
        return any(thread.name == "pausable-clock" for thread in all_threads())

    loaded = Event()
    replica = Replica(Settings.from_environment({}), MODEL, load)
    until(lambda: not ticks())
    replica.start()
    assert ticks()
    replica.end()
    until(lambda: not ticks())
