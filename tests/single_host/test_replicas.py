"""Replicas die, are full and are replaced under load, and nobody loses an answer."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
from typing import Any

import pytest
import requests

from loadtest.client import Report, made
from tests.single_host.conftest import BOUND_S, Host, until
from tests.single_host.load import load

CARTOONS = "/v1/cartoons"


@pytest.fixture
def quick_host(make_host: Callable[..., Host]) -> Iterator[Host]:
    """One of its own: a test breaks it. Its replicas end as soon as they can."""
    host = make_host()
    with host.running():
        yield host


def nothing_is_lost(report: Report) -> bool:
    return 0 < report.sent == report.right


def statuses_of_tries(host: Host) -> "Counter[str]":
    """Count the pictures by what nginx heard of one replica, and then of another."""
    return Counter(line["upstream_status"] for line in host.accesses() if line["path"] == CARTOONS)


@pytest.mark.promise("Single host: a killed replica comes back, and no request is lost")
def test_a_replica_is_killed_under_load_and_comes_back_and_nothing_is_lost(host: Host) -> None:
    before = statuses_of_tries(host)
    with load(host) as reports:
        until(lambda: host.metric(1, "dctnet_slots_busy") > 0)
        killed = host.kill(1)
        until(lambda: host.is_ready(1) and host.pid(1) != killed)
        until(lambda: host.metric(1, "dctnet_inferences_total") > 0)  # It gets pictures again.
    assert nothing_is_lost(reports[0])
    # The killed one was asked, and then the other.
    assert (statuses_of_tries(host) - before)["502, 200"] > 0


@pytest.mark.promise("Single host: an update loses no request and stops at a broken replica")
def test_supervisorctl_update_replaces_replicas_one_after_another_and_nothing_is_lost(
    host: Host,
) -> None:
    # As the README says: longer than a replica takes to be ready.
    host.configure(DCTNET_DRAIN_DELAY=ceil(3 * host.start_s))
    host.supervisorctl("update")
    until(host.are_ready)
    old = [host.pid(1), host.pid(2)]
    with load(host) as reports:
        host.configure(DCTNET_UPLOADS=32)
        said = host.supervisorctl("update")
        until(host.are_ready)
    assert re.findall(r"dctnet-(\d): (\w+)", said) == [
        ("1", "stopped"),
        ("1", "updated"),
        ("2", "stopped"),
        ("2", "updated"),
    ]
    assert not {host.pid(1), host.pid(2)} & {*old}
    assert nothing_is_lost(reports[0])


@pytest.mark.promise("Single host: an update loses no request and stops at a broken replica")
def test_the_update_that_looks_at_readiness_needs_no_drain_delay(quick_host: Host) -> None:
    old = [quick_host.pid(1), quick_host.pid(2)]
    with load(quick_host) as reports:
        quick_host.configure(DCTNET_UPLOADS=32)
        update = quick_host.update()
    assert update.returncode == 0, update.stdout
    assert re.findall(r"dctnet-\d: ready", update.stdout) == ["dctnet-1: ready", "dctnet-2: ready"]
    assert not {quick_host.pid(1), quick_host.pid(2)} & {*old}
    assert nothing_is_lost(reports[0])

    # One that cannot become ready is the only one that is replaced.
    serving = quick_host.pid(2)
    with load(quick_host) as reports:
        quick_host.configure(DCTNET_MODEL="/none")
        update = quick_host.update("--ready-within", "3")
    assert update.returncode == 1
    log = quick_host.logs / "dctnet-1.messages.log"
    assert f"dctnet-1 was not ready within 3 s, and {log} should say why" in update.stdout
    assert "There is no model folder /none." in log.read_text()
    assert quick_host.pid(2) == serving
    assert nothing_is_lost(reports[0])

    # The way back is the old settings.
    quick_host.configure(DCTNET_MODEL="demo")
    assert quick_host.update().returncode == 0
    assert quick_host.are_ready()


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
def test_what_a_full_replica_refuses_another_draws_and_none_counts_as_dead(
    make_host: Callable[..., Host],
) -> None:
    host = make_host(DCTNET_QUEUE=1)
    (small,) = made(1, 64, 64)
    with host.running():
        with filled(host.replica_ports[0]):
            until(lambda: post_to(host.replica_ports[0], small.data) == 429)
            until(lambda: answered(host, small.data)["upstream_status"] == "429, 200")
            # It is asked again at once, which a proxy that counts failures would not do.
            until(lambda: answered(host, small.data)["upstream_status"] == "429, 200")
        first = f"127.0.0.1:{host.replica_ports[0]}"
        until(lambda: answered(host, small.data)["upstream"] == first)
    assert set(statuses_of_tries(host)) == {"200", "429, 200"}


def answered(host: Host, data: bytes) -> dict[str, Any]:
    """Send a picture through nginx, which must be drawn; return the line in the access log."""
    answer = host.post(data)
    assert answer.status_code == 200, answer.text
    return host.access(answer.headers["X-Request-Id"])


def post_to(port: int, data: bytes) -> int:
    url = f"http://127.0.0.1:{port}{CARTOONS}"
    return requests.post(url, data, timeout=BOUND_S).status_code


@contextmanager
def filled(port: int) -> Iterator[None]:
    """Keep a replica full, which draws one picture and lets one wait, without nginx."""
    (large,) = made(1, 960, 720)
    emptied = threading.Event()

    def client() -> None:
        while not emptied.is_set():
            post_to(port, large.data)

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            yield
        finally:
            emptied.set()
    for done in clients:
        done.result()
