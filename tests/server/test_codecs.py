"""Codec processes of a server: killed and stopped under load, restricted, and never left behind."""

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from dctnet.api.problems import DEADLINE_EXCEEDED
from dctnet.codecs.errors import FailureReason
from tests.server.conftest import TIMED, post
from tests.support.encoded_images import encoded, gradient
from tests.support.hypothesis_profiles import scaled
from tests.support.polling import until
from tests.support.process import Server, children, family

IMAGE = encoded(gradient(400, 300))
SLOTS, CLIENTS, ENDED = 2, 6, 20
# A third of it is the time of a codec process.
TIMEOUTS = {"DCTNET_WATCHDOG_TIMEOUT": 3}


def failures(server: Server) -> Counter[str]:
    counts = {
        str(reason): int(server.metric("dctnet_codec_failures_total", reason=reason))
        for reason in FailureReason
    }
    return +Counter(counts)


def is_started(codec: int) -> bool:
    """Return whether a codec process waits for images; one that ends before costs none."""
    return "\nSeccomp:\t2\n" in Path(f"/proc/{codec}/status").read_text()


def is_stopped(codec: int) -> bool:
    """Return whether a codec process is stopped, which costs the next image it gets."""
    try:
        return "\nState:\tT" in Path(f"/proc/{codec}/status").read_text()
    except OSError:  # It has ended.
        return False


def require_ended(pids: list[int]) -> None:
    until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), f"some of {pids} are left"
    )


def test_readyz_names_the_restrictions(start_timed):
    server = start_timed(0, DCTNET_SLOTS=SLOTS)
    verbose = requests.get(f"{server.management}/readyz?verbose", timeout=10).text
    assert "[+]codecs: 2 processes, restricted by seccomp and resource limits\n" in verbose
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in server.codec_processes()]
    assert len(statuses) == SLOTS
    assert all(map(is_started, server.codec_processes()))
    assert all("\nThreads:\t1\n" in status for status in statuses)


@pytest.mark.promise("Input: an image that crashes or hangs a decoder costs only its own request")
def test_stopped_process_costs_one_504(start_timed):
    server = start_timed(0, DCTNET_SLOTS=1, **TIMEOUTS)
    (codec,) = server.codec_processes()
    os.kill(codec, signal.SIGSTOP)
    response = post(server, IMAGE)
    assert (response.status_code, response.json()["type"]) == (504, DEADLINE_EXCEEDED.uri)
    assert post(server, IMAGE).status_code == 200
    assert failures(server) == Counter(timeout=1)
    assert server.faults() == []


@pytest.mark.promise("Input: an image that crashes or hangs a decoder costs only its own request")
def test_killed_and_stopped_processes_cost_one_image_each(start_timed):
    server = start_timed(0, DCTNET_SLOTS=SLOTS, **TIMEOUTS)
    worker, chance = server.worker(), random.Random(0)
    launcher = set(family(worker)) - {worker, *server.codec_processes()}
    ended = 0
    statuses: list[int] = []

    def cartoonize(_: int) -> int:
        status = post(server, IMAGE).status_code
        statuses.append(status)
        return status

    def are_served(images: int) -> bool:
        return statuses.count(200) >= images

    def end_processes() -> None:
        nonlocal ended
        while ended < scaled(ENDED):
            number = signal.SIGSTOP if ended % 5 == 4 else signal.SIGKILL
            time.sleep(chance.uniform(0, 0.1))
            with suppress(IndexError, OSError):  # It is being replaced.
                os.kill(chance.choice([*filter(is_started, server.codec_processes())]), number)
                ended += 1
            until(partial(are_served, 2 * ended), "others are not served")

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        ending = pool.submit(end_processes)
        while not ending.done() or any(map(is_stopped, server.codec_processes())):
            list(pool.map(cartoonize, range(4 * CLIENTS)))
        ending.result()
    assert set(statuses) <= {200, 503, 504}
    lost = len(statuses) - statuses.count(200)
    assert lost == failures(server).total() <= ended
    with ThreadPoolExecutor(SLOTS) as pool:
        assert set(pool.map(cartoonize, range(4 * SLOTS))) == {200}
    assert server.worker() == worker
    assert set(family(worker)) - {worker, *server.codec_processes()} == launcher
    assert len(server.codec_processes()) == SLOTS
    server.until(lambda: server.metric("dctnet_slots_busy") == 0)


@pytest.mark.promise("Lifecycle: no process is left behind")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left(start_timed, number):
    server = start_timed(0, DCTNET_SLOTS=SLOTS)
    pids = family(server.worker())
    assert len(pids) == 2 + SLOTS
    os.kill(server.codec_processes()[0], signal.SIGSTOP)
    server.stop(number)
    require_ended(pids)


def test_killed_worker_leaves_no_codec_process(start_timed):
    server = start_timed(0, DCTNET_SLOTS=SLOTS)
    worker, *others = family(server.worker())
    os.kill(worker, signal.SIGKILL)
    require_ended(others)
    server.wait_for(200)
    assert post(server, IMAGE).status_code == 200


def test_no_process_is_left_when_a_start_is_interrupted(tmp_path):
    """SIGTERM at several moments of the start."""
    for delay in (0.0, 0.2, 0.4):
        with Server(tmp_path / "log", TIMED, TIMED_SECONDS=0) as server:
            server.until(lambda: children(server.process.pid))
            time.sleep(delay)
            pids = family(server.process.pid)[1:]
            server.stop()
        require_ended(pids)
