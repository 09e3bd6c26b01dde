"""The watchdog tells a computation that hangs from one that is slow."""

import threading

import pytest

from dctnet.lifecycle.heartbeat import Heartbeat
from dctnet.lifecycle.probes import MAX_ACCEPT_LOOP_AGE_S, probes
from dctnet.lifecycle.state import Lifecycle, State
from dctnet.lifecycle.watchdog import Watchdog
from tests.support.polling import BOUND_S

TIMEOUT = 30.0


class Fixture:
    def __init__(self) -> None:
        self.running = 0.0
        self.trips = 0
        self.lifecycle = Lifecycle()
        self.watchdog = Watchdog(self.lifecycle, lambda: self.running, TIMEOUT, self.trip)
        self.now = 0.0
        self.accept_loop = Heartbeat(lambda: self.now)
        self.probes = probes(
            self.lifecycle, self.watchdog, self.accept_loop, lambda: self.running, lambda: "a model"
        )

    def trip(self) -> None:
        self.trips += 1


@pytest.fixture
def replica() -> Fixture:
    fixture = Fixture()
    fixture.lifecycle.transition_to(State.READY)
    return fixture


def test_as_long_as_allowed_is_progress_and_longer_is_not(replica):
    replica.running = TIMEOUT
    replica.watchdog.look()
    assert replica.lifecycle.state is State.READY
    replica.running = TIMEOUT + 0.001
    replica.watchdog.look()
    assert replica.lifecycle.state is State.STUCK


def test_each_computation_that_hangs_trips_it_once(replica):
    for _ in range(2):
        replica.running = 2 * TIMEOUT
        replica.watchdog.look()
        replica.watchdog.look()
        replica.running = 0
        replica.watchdog.look()
        assert replica.lifecycle.state is State.READY
    assert replica.trips == 2


def test_a_replica_that_ends_does_not_become_stuck(replica):
    replica.lifecycle.transition_to(State.DRAINING)
    replica.running = 2 * TIMEOUT
    replica.watchdog.look()
    assert replica.lifecycle.state is State.DRAINING
    assert replica.trips == 0


def test_it_watches_by_itself(replica):
    tripped = threading.Event()
    watchdog = Watchdog(replica.lifecycle, lambda: 1.0, 0.2, tripped.set)
    watchdog.start()
    assert tripped.wait(BOUND_S)
    watchdog.stop()


class TestProbes:
    @pytest.mark.promise("Load: probes answer while every slot is busy; a hang fails liveness only")
    def test_only_liveness_is_red_while_a_computation_hangs(self, replica):
        replica.running = 2 * TIMEOUT
        replica.watchdog.look()
        assert not replica.probes["/livez"].ask().passed
        assert replica.probes["/readyz"].ask().passed
        assert replica.probes["/startupz"].ask().passed

    def test_liveness_waits_for_no_look_of_the_watchdog(self, replica):
        replica.running = TIMEOUT + 0.001
        assert not replica.probes["/livez"].ask().passed

    def test_a_replica_that_starts_is_alive_and_no_more(self):
        fixture = Fixture()
        passed = {path: probe.ask().passed for path, probe in fixture.probes.items()}
        assert passed == {"/startupz": False, "/readyz": False, "/livez": True}

    def test_a_replica_that_ends_is_not_ready(self, replica):
        replica.lifecycle.transition_to(State.DRAINING)
        passed = {path: probe.ask().passed for path, probe in replica.probes.items()}
        assert passed == {"/startupz": True, "/readyz": False, "/livez": True}

    def test_a_verdict_names_its_checks(self, replica):
        assert replica.probes["/readyz"].ask().lines == (
            "[+]state: the replica is ready",
            "[+]model: a model",
            "readyz passed",
        )
        replica.lifecycle.transition_to(State.DRAINING)
        assert replica.probes["/readyz"].ask().lines == (
            "[-]state: the replica is draining",
            "[+]model: a model",
            "readyz failed",
        )


def test_liveness_turns_red_when_the_accept_loop_stops_and_green_when_it_goes_on(replica):
    replica.now = 100.0
    assert replica.probes["/livez"].ask().passed  # It has not begun.
    replica.accept_loop.beat()
    replica.now += MAX_ACCEPT_LOOP_AGE_S
    assert replica.probes["/livez"].ask().passed
    replica.now += 0.1
    verdict = replica.probes["/livez"].ask()
    assert not verdict.passed
    assert "[-]accept-loop: the loop that accepts connections last ran 10.1 s ago" in verdict.lines
    replica.accept_loop.beat()
    assert replica.probes["/livez"].ask().passed
