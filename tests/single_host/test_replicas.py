"""Replicas are killed, full and replaced under load, and no response is lost."""

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
from tests.server.timed_server import SLOW
from tests.single_host.conftest import Host
from tests.single_host.load import load
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S, until
from tests.support.repo import DCTNET

CARTOONS = "/v1/cartoons"
TIMED_S = 0.15
"""Inference time of the timed engine, in seconds."""


@pytest.fixture(scope="module")
def host(make_host: Callable[..., Host]) -> Iterator[Host]:
    """Host whose replicas run the real server with an engine that sleeps.

    Replicas start quickly, and the load leaves the CPUs to the disturbance.
    """
    host = make_host()
    host.program.unlink()
    host.program.write_text(
        f'#!/bin/sh\n[ "$DCTNET_STYLES" = comic ] || exec {DCTNET} "$@"\n'
        f"TIMED_SECONDS={TIMED_S} exec {sys.executable} -m tests.server.timed_server\n"
    )
    host.program.chmod(0o755)
    with host.running():
        yield host


def is_lossless(report: Report) -> bool:
    return 0 < report.sent == report.ok


def count_upstream_statuses(host: Host) -> "Counter[str]":
    """Count requests by the upstream statuses of their tries."""
    return Counter(
        line["upstream_status"] for line in host.access_log_lines() if line["path"] == CARTOONS
    )


@pytest.mark.promise("Single host: a killed replica comes back, and no request is lost")
def test_killed_replica_restarts_and_no_request_is_lost(host):
    before = count_upstream_statuses(host)
    with load(host) as reports:
        until(lambda: host.metric(1, "dctnet_slots_busy") > 0)
        killed = host.kill_replica(1)
        until(lambda: host.is_ready(1) and host.pid(1) != killed)
        until(lambda: host.metric(1, "dctnet_inferences_total") > 0)  # It gets requests again.
    assert is_lossless(reports[0])
    # nginx tried the killed replica, then the other.
    assert (count_upstream_statuses(host) - before)["502, 200"] > 0


@pytest.mark.promise("Single host: an update loses no request and stops at a broken replica")
def test_rolling_update_loses_no_request_and_stops_at_a_broken_replica(host):
    old = [host.pid(1), host.pid(2)]
    with load(host) as reports:
        # The update replaces only the first replica, which cannot become ready.
        host.configure(DCTNET_STYLES="/none")
        update = host.rolling_update("--ready-within", "1")
        assert update.returncode == 1
        log = host.logs / "dctnet-1.log"
        assert f"dctnet-1 was not ready within 1 s, and {log} should say why" in update.stdout
        until(lambda: "There is no model folder /none." in log.read_text())
        assert host.pid(2) == old[1]

        # `rolling_update.py` waits for readiness, so replicas need no drain delay.
        host.configure(DCTNET_STYLES="comic", DCTNET_MAX_UPLOADS=32)
        began = time.monotonic()
        update = host.rolling_update()
        took_s = time.monotonic() - began
        assert update.returncode == 0, update.stdout
        ready = re.findall(r"dctnet-\d: ready", update.stdout)
        assert ready == ["dctnet-1: ready", "dctnet-2: ready"]
        new = [host.pid(1), host.pid(2)]
        assert not {*new} & {*old}

        # `supervisorctl update` ignores readiness: the second replica must serve until the first is
        # ready. Its drain delay here is the time that the update of both took.
        host.configure(DCTNET_DRAIN_DELAY=ceil(took_s))
        host.supervisorctl("update", "dctnet-2")
        until(host.all_ready)
        host.configure(DCTNET_MAX_UPLOADS=16, DCTNET_DRAIN_DELAY=0)
        output = host.supervisorctl("update")
        until(host.all_ready)
    words = re.findall(r"dctnet-(\d): (\w+)", output)
    assert words == [(number, word) for number in "12" for word in ("stopped", "updated")]
    assert not {host.pid(1), host.pid(2)} & {*new}
    assert is_lossless(reports[0])


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
def test_rejection_by_a_full_replica_is_retried_and_keeps_it_in_the_upstream(host):
    host.configure(DCTNET_QUEUE_SIZE=1)
    host.supervisorctl("update", "dctnet-1")
    until(host.all_ready)
    before = count_upstream_statuses(host)
    (small,) = generate_images(1, 64, 64)
    with keep_full(host.replica_ports[0]):
        until(lambda: post_to(host.replica_ports[0], small.data) == 429)
        until(lambda: post_and_read_log(host, small.data)["upstream_status"] == "429, 200")
        # The full replica gets the next request: max_fails=0.
        until(lambda: post_and_read_log(host, small.data)["upstream_status"] == "429, 200")
    first = f"127.0.0.1:{host.replica_ports[0]}"
    until(lambda: post_and_read_log(host, small.data)["upstream"] == first)
    assert set(count_upstream_statuses(host) - before) == {"200", "429, 200"}


def post_and_read_log(host: Host, data: bytes) -> dict[str, Any]:
    """Post an image through nginx, with status 200; return its access log line."""
    response = host.post(data)
    assert response.status_code == 200, response.text
    return host.access_log_line(response.headers["X-Request-Id"])


def post_to(port: int, data: bytes) -> int:
    url = f"http://127.0.0.1:{port}{CARTOONS}"
    return requests.post(url, data, timeout=BOUND_S).status_code


@contextmanager
def keep_full(port: int) -> Iterator[None]:
    """Keep a replica's slot and queue of one full, without nginx."""
    slow = encoded(gradient(20, SLOW))
    stopped = threading.Event()

    def client() -> None:
        while not stopped.is_set():
            if post_to(port, slow) == 429:
                stopped.wait(TIMED_S / 5)

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            yield
        finally:
            stopped.set()
    for client in clients:
        client.result()
