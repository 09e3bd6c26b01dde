"""Byte budget over HTTP: photos of phones, exact limits, and bytes that every end releases."""

import json
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from dctnet.config import Settings
from dctnet.shared_limits import FORM_OVERHEAD_BYTES
from tests.server.conftest import (
    IMAGE,
    Start,
    open_connection,
    open_connections,
    post,
    read_response,
)
from tests.support.encoded_images import encoded
from tests.support.polling import BOUND_S
from tests.support.process import Server

MB = 1_000_000
MAX_BODY = MB
MAX_FORM = MAX_BODY + FORM_OVERHEAD_BYTES
BUDGET = 2 * MB + 200_000
HEAD = "POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
KEYS = "the-key-of-a-batch-client", "the-key-of-a-person"


def waiting_bytes(server: Server) -> float:
    return server.metric("dctnet_waiting_bytes")


def photo(megabytes: int) -> bytes:
    """Return a JPEG of a photo's size: noise at high quality."""
    side = int((megabytes * MB / 2.6) ** 0.5)
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    data = encoded(noise, "JPEG", quality=95, subsampling=0)
    assert megabytes * MB * 0.9 < len(data) < megabytes * MB * 1.1
    return data


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A file that blocks all inference while it exists."""
    return tmp_path / "held"


@pytest.fixture
def server(start_timed: Start, blocked: Path) -> Server:
    """A server with room for the bodies of two largest images."""
    return start_timed(
        0,
        TIMED_HELD=blocked,
        DCTNET_SLOTS=1,
        DCTNET_MAX_BODY_BYTES=MAX_BODY,
        DCTNET_MAX_WAITING_BYTES=BUDGET,
        DCTNET_UPLOAD_IDLE_TIMEOUT=60,
    )


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., socket.socket]]:
    """Opens connections that send a request's head, and wait for 100 Continue."""
    with ExitStack() as stack:

        def connect(*headers: str) -> socket.socket:
            head = (HEAD + "".join(f"{header}\r\n" for header in headers) + "\r\n").encode()
            return stack.enter_context(open_connection(server, head))

        yield connect


def require_continue(client: socket.socket) -> None:
    assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"


def require_rejection(client: socket.socket, reason: str) -> None:
    response, content = read_response(client)
    assert (response.status, json.loads(content)["reason"]) == (429, reason)
    assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.promise("Input: photos of 48 and 50 megapixels have room by default")
def test_photos_of_12_and_20_megabytes_pass_by_default(timed_server):
    url = f"{timed_server.url}/v1/cartoons?format=jpeg"
    form = requests.post(url, files={"file": photo(12)}, timeout=BOUND_S)
    chunked = requests.post(url, data=iter([photo(20)]), timeout=BOUND_S)
    assert (form.status_code, chunked.status_code) == (200, 200)


@pytest.mark.promise("Input: photos of 48 and 50 megapixels have room by default")
def test_fifty_photos_of_20_megabytes_have_room_by_default(timed_server):
    """By their headers; full bodies are in `test_hostile_input.py` and `test_memory.py`."""
    head = f"{HEAD}Content-Length: {20 * MB}\r\n\r\n".encode()
    with open_connections(timed_server, 50, head) as clients:
        for client in clients:
            require_continue(client)
        assert waiting_bytes(timed_server) == 50 * 20 * MB
    timed_server.until(lambda: waiting_bytes(timed_server) == 0)
    capacity = Settings.from_environment({}).max_waiting_bytes
    assert timed_server.metric("dctnet_waiting_bytes_capacity") == capacity


@pytest.mark.promise("Load: a full queue rejects with 429 at once, before the body")
@pytest.mark.promise("Input: limits hold exactly: at the limit passes, one past it does not")
def test_budget_is_exact_and_rejects_from_the_headers(server, connect):
    held = [connect(f"Content-Length: {MAX_BODY}") for _ in range(2)]
    for client in held:
        require_continue(client)
    require_rejection(connect("Content-Length: 200001"), "waiting_bytes")
    require_rejection(connect("Transfer-Encoding: chunked"), "waiting_bytes")
    last = connect("Content-Length: 200000")
    require_continue(last)
    assert waiting_bytes(server) == BUDGET
    # What never fits is told so, whatever is free.
    response, _ = read_response(connect(f"Content-Length: {MAX_BODY + 1}"))
    assert response.status == 413
    assert server.metric("dctnet_rejected_total", reason="waiting_bytes") == 2
    for client in [*held, last]:
        client.close()
    server.until(lambda: waiting_bytes(server) == 0)
    assert post(server).status_code == 200


def test_body_counts_what_may_come_then_what_came_until_a_slot_takes_it(server, connect, blocked):
    blocked.touch()
    on_slot = connect(f"Content-Length: {len(IMAGE)}")
    require_continue(on_slot)
    on_slot.sendall(IMAGE)
    server.until(lambda: server.metric("dctnet_slots_busy") == 1)
    assert waiting_bytes(server) == 0
    chunked = connect("Transfer-Encoding: chunked")
    require_continue(chunked)
    assert waiting_bytes(server) == MAX_FORM
    chunked.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(IMAGE), IMAGE))
    server.until(lambda: waiting_bytes(server) == len(IMAGE))
    head = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    body = head + IMAGE + b"\r\n--x--\r\n"
    form = connect(f"Content-Length: {len(body)}", "Content-Type: multipart/form-data; boundary=x")
    require_continue(form)
    assert waiting_bytes(server) == len(IMAGE) + len(body)
    form.sendall(body)
    server.until(lambda: waiting_bytes(server) == 2 * len(IMAGE))
    form.close()  # One leaves the queue.
    server.until(lambda: waiting_bytes(server) == len(IMAGE))
    on_slot.close()  # Its inference goes on, in the memory of the slot.
    blocked.unlink()
    response, _ = read_response(chunked)
    assert response.status == 200
    assert waiting_bytes(server) == 0


def test_bytes_are_released_after_every_error(server):
    def send(data: object = None, **more: Any) -> int:
        url = f"{server.url}/v1/cartoons"
        return requests.post(url, data=data, timeout=BOUND_S, **more).status_code

    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    large = bytes(MAX_BODY)
    statuses = Counter(
        status
        for _ in range(5)
        for status in (
            send(large),
            send(iter([large, b"1"])),
            send(IMAGE[: len(IMAGE) // 2]),
            send(large, headers=multipart),
            send(files={"file": large, "other": large}),
            send({"size": "many"}, files={"file": IMAGE}),
            send(files={"file": b""}),
            send(IMAGE, params={"unknown": "1"}),
        )
    )
    assert statuses == {415: 5, 413: 10, 400: 10, 422: 15}
    server.until(lambda: waiting_bytes(server) == 0)
    assert server.faults() == []


@pytest.mark.promise("Load: one client's many images shut out no other client")
def test_one_client_cannot_take_the_budget(start_timed, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("\n".join(KEYS))
    server = start_timed(
        0,
        DCTNET_API_KEYS_FILE=keys,
        DCTNET_MAX_BODY_BYTES=MAX_BODY,
        DCTNET_MAX_WAITING_BYTES=4 * MB,
    )
    batch, person = (
        f"{HEAD}X-Api-Key: {key}\r\nContent-Length: {MAX_BODY}\r\n\r\n".encode() for key in KEYS
    )
    with ExitStack() as stack:
        for _ in range(3):
            require_continue(stack.enter_context(open_connection(server, batch)))
        require_rejection(stack.enter_context(open_connection(server, batch)), "quota")
        require_continue(stack.enter_context(open_connection(server, person)))
        require_rejection(stack.enter_context(open_connection(server, person)), "waiting_bytes")


@pytest.mark.promise("Load: slow senders get 408 and take no slot from others")
def test_stalled_upload_releases_a_full_budget_early(start_timed):
    server = start_timed(
        0,
        DCTNET_MAX_BODY_BYTES=MAX_BODY,
        DCTNET_MAX_WAITING_BYTES=BUDGET,
        DCTNET_UPLOAD_IDLE_TIMEOUT=10,
    )
    head = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY}\r\n\r\n".encode()
    with open_connections(server, 2, head) as stalled:
        started = time.monotonic()
        server.until(lambda: waiting_bytes(server) == 2 * MAX_BODY)
        server.until(lambda: waiting_bytes(server) == MAX_BODY)  # The other has room now.
        assert 2 <= time.monotonic() - started < 10
        ended, _, _ = select.select(stalled, [], [], BOUND_S)
        assert [read_response(client)[0].status for client in ended] == [408]
