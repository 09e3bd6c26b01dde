"""Watchdog and health probes: hanging computations and a stopped accept loop."""

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
            self.lifecycle,
            self.watchdog,
            self.accept_loop,
            lambda: self.running,
            model=lambda: "a model",
            codecs=lambda: "2 processes",
        )

    def trip(self) -> None:
        self.trips += 1


@pytest.fixture
def replica() -> Fixture:
    fixture = Fixture()
    fixture.lifecycle.transition_to(State.READY)
    return fixture


def test_watchdog_timeout_is_exact(replica):
    replica.running = TIMEOUT
    replica.watchdog.check()
    assert replica.lifecycle.state is State.READY
    replica.running = TIMEOUT + 0.001
    replica.watchdog.check()
    assert replica.lifecycle.state is State.STUCK


def test_hanging_computation_trips_the_watchdog_once(replica):
    for _ in range(2):
        replica.running = 2 * TIMEOUT
        replica.watchdog.check()
        replica.watchdog.check()
        replica.running = 0
        replica.watchdog.check()
        assert replica.lifecycle.state is State.READY
    assert replica.trips == 2


def test_draining_replica_does_not_become_stuck(replica):
    replica.lifecycle.transition_to(State.DRAINING)
    replica.running = 2 * TIMEOUT
    replica.watchdog.check()
    assert replica.lifecycle.state is State.DRAINING
    assert replica.trips == 0


def test_watchdog_thread_checks_periodically(replica):
    tripped = threading.Event()
    watchdog = Watchdog(replica.lifecycle, lambda: 1.0, 0.2, tripped.set)
    watchdog.start()
    assert tripped.wait(BOUND_S)
    watchdog.stop()


class TestProbes:
    @pytest.mark.promise("Load: probes answer while every slot is busy; a hang fails liveness only")
    def test_hanging_computation_fails_only_livez(self, replica):
        replica.running = 2 * TIMEOUT
        replica.watchdog.check()
        assert not replica.probes["/livez"].run().passed
        assert replica.probes["/readyz"].run().passed
        assert replica.probes["/startupz"].run().passed

    def test_livez_does_not_wait_for_the_watchdog(self, replica):
        replica.running = TIMEOUT + 0.001
        assert not replica.probes["/livez"].run().passed

    def test_starting_replica_is_only_alive(self):
        fixture = Fixture()
        passed = {path: probe.run().passed for path, probe in fixture.probes.items()}
        assert passed == {"/startupz": False, "/readyz": False, "/livez": True}

    def test_draining_replica_is_not_ready(self, replica):
        replica.lifecycle.transition_to(State.DRAINING)
        passed = {path: probe.run().passed for path, probe in replica.probes.items()}
        assert passed == {"/startupz": True, "/readyz": False, "/livez": True}

    def test_probe_result_names_its_checks(self, replica):
        assert replica.probes["/readyz"].run().lines == (
            "[+]state: the replica is ready",
            "[+]model: a model",
            "[+]codecs: 2 processes",
            "readyz passed",
        )
        replica.lifecycle.transition_to(State.DRAINING)
        assert replica.probes["/readyz"].run().lines == (
            "[-]state: the replica is draining",
            "[+]model: a model",
            "[+]codecs: 2 processes",
            "readyz failed",
        )


def test_livez_follows_the_accept_loop(replica):
    replica.now = 100.0
    assert replica.probes["/livez"].run().passed  # It has not started.
    replica.accept_loop.record()
    replica.now += MAX_ACCEPT_LOOP_AGE_S
    assert replica.probes["/livez"].run().passed
    replica.now += 0.1
    verdict = replica.probes["/livez"].run()
    assert not verdict.passed
    assert "[-]accept-loop: the loop that accepts connections last ran 10.1 s ago" in verdict.lines
    replica.accept_loop.record()
    assert replica.probes["/livez"].run().passed
