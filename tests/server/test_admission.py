"""Admission control under overload: rejections, deadlines, hanging slots, pauses."""

import os
import signal
import socket
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
"""Bound of the response time to a request that hangs for two seconds, in seconds."""


def queue_length(server: Server, queued: int = 0) -> None:
    """Wait until the queue has this length and the only slot is busy."""
    server.until(
        lambda: (
            server.metric("dctnet_queue_depth") == queued
            and server.metric("dctnet_slots_busy") == 1
        )
    )


def fill(
    server: Server, pool: ThreadPoolExecutor, blocked: Path, places: int, data: bytes = IMAGE
) -> "list[Future[requests.Response]]":
    """Fill the only slot and the queue; return the pending responses."""
    blocked.touch()
    served = [pool.submit(post, server, data)]
    queue_length(server)
    served += [pool.submit(post, server, data) for _ in range(places)]
    queue_length(server, queued=places)
    return served


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(64)


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A file that blocks all inference while it exists."""
    return tmp_path / "held"


@pytest.fixture
def full_server(start_timed: Start, pool: ThreadPoolExecutor, blocked: Path) -> Iterator[Server]:
    """A server with a full slot and queue; all three images are served after the test."""
    server = start_timed(
        0, TIMED_HELD=blocked, DCTNET_SLOTS=1, DCTNET_QUEUE_SIZE=2, DCTNET_CORS_ORIGINS=ORIGIN
    )
    served = fill(server, pool, blocked, places=2)
    yield server
    assert not any(response.done() for response in served)
    blocked.unlink()
    assert [response.result().status_code for response in served] == [200] * 3


@pytest.mark.alone
@pytest.mark.promise("Load: a full queue rejects with 429 at once, before the body")
def test_full_queue_rejects_immediately(full_server):
    started = time.monotonic()
    rejected = post(full_server)
    assert time.monotonic() - started < 0.5
    assert rejected.status_code == 429
    assert rejected.json()["type"] == "urn:dctnet:problem:overloaded"
    assert 1 <= int(rejected.headers["Retry-After"]) <= 6
    assert rejected.headers["Connection"] == "close"
    assert full_server.probe("/readyz") == full_server.probe("/livez") == 200
    assert full_server.metric("dctnet_rejected_total", reason="queue_full") == 1


@pytest.mark.promise("Load: a full queue rejects with 429 at once, before the body")
def test_rejection_reaches_clients_with_and_without_expect_continue(full_server, pool):
    """A client that keeps sending reads the rejection, not a connection reset."""
    head = b"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
    with open_connection(full_server, head + b"Expect: 100-continue\r\n\r\n") as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 429 ")
    large = bytes(5_000_000)
    responses = Counter(
        r.status_code for r in pool.map(lambda _: post(full_server, large), range(20))
    )
    assert responses == {429: 20}
    # CORS: a page of another site may read Retry-After and send a preflight.
    rejected = post(full_server, Origin=ORIGIN)
    assert rejected.status_code == 429
    assert rejected.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = rejected.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Retry-After", "X-Request-Id"} <= set(exposed) & set(rejected.headers)
    preflight = requests.options(
        f"{full_server.url}/v1/cartoons",
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


def test_rejection_says_why_in_response_and_log(full_server):
    response = post(full_server)
    assert response.status_code == 429
    assert response.json()["reason"] == "queue_full"
    assert str(response.json()["retry_after"]) == response.headers["Retry-After"]
    (line,) = full_server.logged(1)
    assert (line["status"], line["rejected"], line["route"]) == (429, "queue_full", "/v1/cartoons")


@pytest.mark.promise("Load: an impossible deadline is rejected; disconnected clients cost no work")
def test_deadline_rejection(start_timed, pool, blocked):
    server = start_timed(0.4, TIMED_HELD=blocked, DCTNET_SLOTS=1, DCTNET_MAX_WORKING_SIDE=512)
    size = encoded(gradient(256, 256))  # As large as the warm-up's image.
    served = fill(server, pool, blocked, 3, size)
    late = post(server, size, **{"X-Request-Timeout": "0.8"})
    assert late.status_code == 429
    assert server.metric("dctnet_rejected_total", reason="deadline") == 1
    blocked.unlink()
    assert [response.result().status_code for response in served] == [200] * 4


@pytest.mark.promise("Load: an impossible deadline is rejected; disconnected clients cost no work")
def test_missed_deadline_is_504_and_frees_the_slot(start_timed):
    server = start_timed(0.1, DCTNET_SLOTS=1)
    late = post(server, encoded(gradient(40, SLOW)), **{"X-Request-Timeout": "0.5"})
    assert late.status_code == 504
    assert late.json()["type"] == "urn:dctnet:problem:deadline-exceeded"
    assert post(server).status_code == 200


@pytest.mark.parametrize("places", [0, 2])
def test_half_closed_client_gets_its_response(start_timed, pool, blocked, places):
    """As of `nc -N`: on a slot, and in the queue."""
    server = start_timed(0, TIMED_HELD=blocked, DCTNET_SLOTS=1)
    served = fill(server, pool, blocked, places) if places else []
    blocked.touch()
    head = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: {len(IMAGE)}\r\n\r\n"
    with open_connection(server, head.encode() + IMAGE) as client:
        client.shutdown(socket.SHUT_WR)
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        blocked.unlink()
        response, content = read_response(client)
    assert response.status == 200
    np.testing.assert_array_equal(decoded(content), 255 - gradient(40, 24))
    assert {response.result().status_code for response in served} <= {200}
    assert server.metric("dctnet_client_disconnects_total", stage="queue") == 0


@pytest.mark.promise("Load: an impossible deadline is rejected; disconnected clients cost no work")
def test_disconnected_queued_client_costs_no_inference(start_timed, pool, blocked):
    server = start_timed(0, TIMED_HELD=blocked, DCTNET_SLOTS=1)
    (first,) = fill(server, pool, blocked, places=0)
    before = server.metric("dctnet_inferences_total", result="ok")
    head = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: {len(IMAGE)}\r\n\r\n"
    with open_connections(server, 5, head.encode() + IMAGE):
        queue_length(server, queued=5)
    server.until(lambda: server.metric("dctnet_queue_depth") == 0)
    blocked.unlink()
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
    assert post(server).status_code == 200  # The other slot still serves.
    assert server.stop() == 0


def test_hanging_slots_leave_their_queue_to_other_replicas(start_timed, pool):
    server = start_timed(
        0, DCTNET_SLOTS=1, DCTNET_REQUEST_TIMEOUT=HUNG_WITHIN_S, DCTNET_WATCHDOG_TIMEOUT=1
    )
    hung = pool.submit(post, server, encoded(gradient(20, HANGING)))
    queue_length(server)
    queued = pool.submit(post, server).result()
    later = post(server)
    for response in queued, later:
        assert (response.status_code, response.json()["reason"]) == (503, "draining")
    assert not hung.done()
    assert server.probe("/readyz") == 200


LARGE = encoded(gradient(512, 1024))
"""An image of eight times the least cost, which shows an estimate that is too high."""


@pytest.mark.alone
@pytest.mark.promise("Load: an idle replica admits every image that fits its deadline")
def test_paused_process_is_neither_measured_nor_stuck(start_timed, pool):
    server = start_timed(0.1, DCTNET_SLOTS=1, DCTNET_REQUEST_TIMEOUT=7, DCTNET_WATCHDOG_TIMEOUT=3)
    paused = pool.submit(post, server, encoded(gradient(40, SLOW)))  # Takes a second.
    queue_length(server)
    worker = server.worker()
    os.kill(worker, signal.SIGSTOP)
    try:
        time.sleep(4)  # The pause under test.
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
