"""Replicas die, are full and are replaced under load, and nobody loses an answer."""

import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
from typing import Any

import pytest
import requests

from loadtest.client import Report, generate_images
from tests.server.timed import SLOW
from tests.single_host.conftest import Host
from tests.single_host.load import load
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S, until
from tests.support.repo import DCTNET

CARTOONS = "/v1/cartoons"
TIMED_S = 0.15
"""How long an image takes."""


@pytest.fixture(scope="module")
def host(make_host: Callable[..., Host]) -> Iterator[Host]:
    """One that runs the real server around an engine that waits instead of computing.

    So replicas start soon, and a load leaves the CPUs to what it is about.
    """
    host = make_host()
    host.program.unlink()
    host.program.write_text(
        f'#!/bin/sh\n[ "$DCTNET_MODEL" = demo ] || exec {DCTNET} "$@"\n'
        f"TIMED_SECONDS={TIMED_S} exec {sys.executable} -m tests.server.timed\n"
    )
    host.program.chmod(0o755)
    with host.running():
        yield host


def nothing_is_lost(report: Report) -> bool:
    return 0 < report.sent == report.ok


def statuses_of_tries(host: Host) -> "Counter[str]":
    """Count the images by what nginx heard of one replica, and then of another."""
    return Counter(line["upstream_status"] for line in host.accesses() if line["path"] == CARTOONS)


@pytest.mark.promise("Single host: a killed replica comes back, and no request is lost")
def test_a_replica_is_killed_under_load_and_comes_back_and_nothing_is_lost(host):
    before = statuses_of_tries(host)
    with load(host) as reports:
        until(lambda: host.metric(1, "dctnet_slots_busy") > 0)
        killed = host.kill(1)
        until(lambda: host.is_ready(1) and host.pid(1) != killed)
        until(lambda: host.metric(1, "dctnet_inferences_total") > 0)  # It gets images again.
    assert nothing_is_lost(reports[0])
    # The killed one was asked, and then the other.
    assert (statuses_of_tries(host) - before)["502, 200"] > 0


@pytest.mark.promise("Single host: an update loses no request and stops at a broken replica")
def test_an_update_stops_at_a_broken_replica_and_otherwise_nothing_is_lost(host):
    old = [host.pid(1), host.pid(2)]
    with load(host) as reports:
        # One that cannot become ready is the only one that is replaced.
        host.configure(DCTNET_MODEL="/none")
        update = host.update("--ready-within", "1")
        assert update.returncode == 1
        log = host.logs / "dctnet-1.messages.log"
        assert f"dctnet-1 was not ready within 1 s, and {log} should say why" in update.stdout
        until(lambda: "There is no model folder /none." in log.read_text())
        assert host.pid(2) == old[1]

        # As `rolling_update.py` looks at readiness, those that it replaces need no drain delay.
        host.configure(DCTNET_MODEL="demo", DCTNET_MAX_UPLOADS=32)
        began = time.monotonic()
        update = host.update()
        took_s = time.monotonic() - began
        assert update.returncode == 0, update.stdout
        ready = re.findall(r"dctnet-\d: ready", update.stdout)
        assert ready == ["dctnet-1: ready", "dctnet-2: ready"]
        new = [host.pid(1), host.pid(2)]
        assert not {*new} & {*old}

        # supervisord alone does not, but replaces one after another. The second must serve for
        # longer than the first takes to be ready, as the README says: for as long as both took.
        host.configure(DCTNET_DRAIN_DELAY=ceil(took_s))
        host.supervisorctl("update", "dctnet-2")
        until(host.are_ready)
        host.configure(DCTNET_MAX_UPLOADS=16, DCTNET_DRAIN_DELAY=0)
        said = host.supervisorctl("update")
        until(host.are_ready)
    words = re.findall(r"dctnet-(\d): (\w+)", said)
    assert words == [(number, word) for number in "12" for word in ("stopped", "updated")]
    assert not {host.pid(1), host.pid(2)} & {*new}
    assert nothing_is_lost(reports[0])


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
def test_what_a_full_replica_rejects_another_draws_and_none_counts_as_dead(host):
    host.configure(DCTNET_QUEUE_SIZE=1)
    host.supervisorctl("update", "dctnet-1")
    until(host.are_ready)
    before = statuses_of_tries(host)
    (small,) = generate_images(1, 64, 64)
    with filled(host.replica_ports[0]):
        until(lambda: post_to(host.replica_ports[0], small.data) == 429)
        until(lambda: answered(host, small.data)["upstream_status"] == "429, 200")
        # It is asked again at once, which a proxy that counts failures would not do.
        until(lambda: answered(host, small.data)["upstream_status"] == "429, 200")
    first = f"127.0.0.1:{host.replica_ports[0]}"
    until(lambda: answered(host, small.data)["upstream"] == first)
    assert set(statuses_of_tries(host) - before) == {"200", "429, 200"}


def answered(host: Host, data: bytes) -> dict[str, Any]:
    """Send an image through nginx, which must be drawn; return the line in the access log."""
    answer = host.post(data)
    assert answer.status_code == 200, answer.text
    return host.access(answer.headers["X-Request-Id"])


def post_to(port: int, data: bytes) -> int:
    url = f"http://127.0.0.1:{port}{CARTOONS}"
    return requests.post(url, data, timeout=BOUND_S).status_code


@contextmanager
def filled(port: int) -> Iterator[None]:
    """Keep a replica full, which draws one image and lets one wait, without nginx."""
    slow = encoded(gradient(20, SLOW))
    emptied = threading.Event()

    def client() -> None:
        while not emptied.is_set():
            if post_to(port, slow) == 429:
                emptied.wait(TIMED_S / 5)

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            yield
        finally:
            emptied.set()
    for done in clients:
        done.result()
