"""Replica: drain and stop."""

from pathlib import Path
from threading import Event
from threading import enumerate as all_threads
from typing import NoReturn

from dctnet.config import Settings
from dctnet.lifecycle.state import State
from dctnet.model_loading import StyleModels
from dctnet.models.folder import ModelFolder
from dctnet.replica import Replica
from tests.support.polling import until

MODEL = ModelFolder(Path("tiny"), "tiny", "example/tiny", "v1", None, "unpinned")
FOUND = StyleModels({"tiny": MODEL})


def test_replica_drains_then_stops():
    replica = Replica(Settings.from_environment({}), FOUND)
    replica.drain()
    assert replica.lifecycle.state is State.DRAINING
    replica.stop()
    assert replica.lifecycle.state is State.STOPPED


def test_replica_without_drain_is_not_stopped():
    replica = Replica(Settings.from_environment({}), FOUND)
    replica.stop()
    assert replica.lifecycle.state is State.STARTING


def test_running_clock_ticks_while_the_replica_runs():
    def load(_: Settings) -> NoReturn:
        loaded.wait()
        raise AssertionError

    def ticks() -> bool:
        return any(thread.name == "pausable-clock" for thread in all_threads())

    loaded = Event()
    replica = Replica(Settings.from_environment({}), FOUND, load)
    until(lambda: not ticks())
    replica.start()
    assert ticks()
    replica.stop()
    until(lambda: not ticks())
