"""A server that is asked for more than it can do."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests

from tests.server.conftest import (
    IMAGE,
    Start,
    open_connection,
    open_connections,
    post,
    read_response,
)
from tests.server.timed_server import HANGING, SLOW
from tests.support.encoded_images import decoded, encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server

ORIGIN = "https://a.example"
HUNG_WITHIN_S = 10
"""How late on a busy machine the response may be to a request that hangs for two seconds."""


def busy(server: Server, queued: int = 0) -> None:
    """Wait until so many images wait and the only slot computes."""
    server.until(
        lambda: (
            server.metric("dctnet_queue_depth") == queued
            and server.metric("dctnet_slots_busy") == 1
        )
    )


def fill(
    server: Server, pool: ThreadPoolExecutor, held: Path, places: int, data: bytes = IMAGE
) -> "list[Future[requests.Response]]":
    """Hold the only slot, and send images to it and to places in the queue; what comes."""
    held.touch()
    served = [pool.submit(post, server, data)]
    busy(server)
    served += [pool.submit(post, server, data) for _ in range(places)]
    busy(server, queued=places)
    return served


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(64)


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """A file while which exists no image is done."""
    return tmp_path / "held"


@pytest.fixture
def full(start_timed: Start, pool: ThreadPoolExecutor, held: Path) -> Iterator[Server]:
    """A server whose slot and two places are taken until the end, when all three are served."""
    server = start_timed(
        0, TIMED_HELD=held, DCTNET_SLOTS=1, DCTNET_QUEUE_SIZE=2, DCTNET_CORS_ORIGINS=ORIGIN
    )
    served = fill(server, pool, held, places=2)
    yield server
    assert not any(answer.done() for answer in served)
    held.unlink()
    assert [answer.result().status_code for answer in served] == [200] * 3


@pytest.mark.alone
@pytest.mark.promise("Load: one image more than the queue holds gets 429 at once, before its body")
def test_full_queue_rejects_immediately(full):
    started = time.monotonic()
    rejected = post(full)
    assert time.monotonic() - started < 0.5
    assert rejected.status_code == 429
    assert rejected.json()["type"] == "urn:dctnet:problem:overloaded"
    assert 1 <= int(rejected.headers["Retry-After"]) <= 6
    assert rejected.headers["Connection"] == "close"
    assert full.probe("/readyz") == full.probe("/livez") == 200
    assert full.metric("dctnet_rejected_total", reason="queue_full") == 1


@pytest.mark.promise("Load: one image more than the queue holds gets 429 at once, before its body")
def test_rejection_reaches_clients_with_and_without_expect_continue(full, pool):
    """A client that sends it all the same reads the rejection, not a connection that was reset."""
    head = b"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
    with open_connection(full, head + b"Expect: 100-continue\r\n\r\n") as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 429 ")
    large = bytes(5_000_000)
    answers = Counter(r.status_code for r in pool.map(lambda _: post(full, large), range(20)))
    assert answers == {429: 20}
    # A page of another site may read when to come again, and may ask beforehand.
    rejected = post(full, Origin=ORIGIN)
    assert rejected.status_code == 429
    assert rejected.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = rejected.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Retry-After", "X-Request-Id"} <= set(exposed) & set(rejected.headers)
    preflight = requests.options(
        f"{full.url}/v1/cartoons",
        headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"},
        timeout=BOUND_S,
    )
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_expect_continue_client_gets_100(timed_server):
    head = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: {len(IMAGE)}\r\n"
    with open_connection(timed_server, f"{head}Expect: 100-continue\r\n\r\n".encode()) as client:
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(IMAGE)
        _, content = read_response(client)
    np.testing.assert_array_equal(decoded(content), 255 - gradient(40, 24))


@pytest.mark.promise("Load: an impossible deadline is rejected; clients that left cost no work")
def test_deadline_rejection(start_timed, pool, held):
    server = start_timed(0.4, TIMED_HELD=held, DCTNET_SLOTS=1, DCTNET_MAX_WORKING_SIDE=512)
    size = encoded(gradient(256, 256))  # As large as the image that tells the pace.
    served = fill(server, pool, held, 3, size)
    late = post(server, size, **{"X-Request-Timeout": "0.8"})
    assert late.status_code == 429
    assert server.metric("dctnet_rejected_total", reason="deadline") == 1
    held.unlink()
    assert [answer.result().status_code for answer in served] == [200] * 4


@pytest.mark.promise("Load: an impossible deadline is rejected; clients that left cost no work")
def test_missed_deadline_is_504_and_frees_the_slot(start_timed):
    server = start_timed(0.1, DCTNET_SLOTS=1)
    late = post(server, encoded(gradient(40, SLOW)), **{"X-Request-Timeout": "0.5"})
    assert late.status_code == 504
    assert late.json()["type"] == "urn:dctnet:problem:deadline-exceeded"
    assert post(server).status_code == 200


@pytest.mark.promise("Load: an impossible deadline is rejected; clients that left cost no work")
def test_disconnected_queued_client_costs_no_inference(start_timed, pool, held):
    server = start_timed(0, TIMED_HELD=held, DCTNET_SLOTS=1)
    (first,) = fill(server, pool, held, places=0)
    before = server.metric("dctnet_inferences_total", result="ok")
    head = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: {len(IMAGE)}\r\n\r\n"
    with open_connections(server, 5, head.encode() + IMAGE):
        busy(server, queued=5)
    server.until(lambda: server.metric("dctnet_queue_depth") == 0)
    held.unlink()
    assert first.result().status_code == 200
    server.until(lambda: server.metric("dctnet_client_disconnects_total", stage="queue") == 5)
    assert post(server).status_code == 200
    assert server.metric("dctnet_inferences_total", result="ok") == before + 2


@pytest.mark.promise("Load: probes answer while every slot is busy; a hang fails liveness only")
def test_hanging_slot_fails_only_liveness(start_timed):
    server = start_timed(0, DCTNET_SLOTS=2, DCTNET_REQUEST_TIMEOUT=2, DCTNET_WATCHDOG_TIMEOUT=1)
    started = time.monotonic()
    hung = post(server, encoded(gradient(20, HANGING)))
    assert hung.status_code == 504
    assert 2 <= time.monotonic() - started < HUNG_WITHIN_S
    assert server.probe("/livez") == 503
    assert server.probe("/readyz") == server.probe("/startupz") == 200
    assert server.metric("dctnet_watchdog_trips_total") == 1
    assert server.metric("dctnet_state", state="stuck") == 1
    assert post(server).status_code == 200  # The other slot draws on.
    assert server.stop() == 0


LARGE = encoded(gradient(512, 1024))
"""An image of eight times the least cost, which shows an estimate that is too high."""


@pytest.mark.alone
@pytest.mark.promise("Load: an idle replica admits every image that fits its deadline")
def test_paused_process_is_neither_measured_nor_stuck(start_timed, pool):
    server = start_timed(0.1, DCTNET_SLOTS=1, DCTNET_REQUEST_TIMEOUT=7, DCTNET_WATCHDOG_TIMEOUT=3)
    paused = pool.submit(post, server, encoded(gradient(40, SLOW)))  # Takes a second.
    busy(server)
    worker = server.worker()
    os.kill(worker, signal.SIGSTOP)
    try:
        time.sleep(4)  # The pause is what is tested.
    finally:
        os.kill(worker, signal.SIGCONT)
    assert server.probe("/livez") == server.probe("/readyz") == 200
    assert paused.result().status_code == 200
    assert server.probe("/livez") == 200
    assert server.metric("dctnet_watchdog_trips_total") == 0
    assert server.metric("dctnet_state", state="ready") == 1
    assert post(server, LARGE).status_code == 200
    assert server.metric("dctnet_rejected_total", reason="deadline") == 0


@pytest.mark.promise("Load: an idle replica admits every image that fits its deadline")
@pytest.mark.parametrize(("width", "format"), [(65_500, "png"), (16_383, "webp")])
def test_thin_images_do_not_make_an_idle_replica_reject(start_timed, width, format):
    """Their working size is tiny; decoding and encoding take a hundred times as long."""
    server = start_timed(0.02, DCTNET_SLOTS=1, DCTNET_THREADS=1)
    thin = encoded(np.tile(gradient(305, 500), (1, 132, 1))[:, :width], "JPEG")
    for _ in range(4):
        assert post(server, thin, f"?format={format}").status_code == 200
    assert post(server, LARGE, **{"X-Request-Timeout": "2"}).status_code == 200
    assert server.metric("dctnet_rejected_total", reason="deadline") == 0
