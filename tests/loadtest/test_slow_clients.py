"""Slow clients and their outcomes."""

import pytest

from loadtest import slow_clients
from loadtest.client import SourceImage
from loadtest.slow_clients import SlowPlan, SlowReport
from tests.support.http_stub import Handler, serving
from tests.support.polling import BOUND_S
from tests.support.process import free_ports

NOTHING = SlowReport(by_status={}, closed=0, reset=0, still_open=0, unconnected=0)


def respond_408(handler: Handler) -> None:
    handler.rfile.read(3)
    handler.wfile.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")


def close(handler: Handler) -> None:
    handler.rfile.read(1)


def reset(handler: Handler) -> None:
    handler.rfile.read(3)
    handler.reset()


def wait(handler: Handler) -> None:
    handler.server.released.wait()


def run_slow_clients(url: str, image: SourceImage, **plan: object) -> SlowReport:
    defaults = {"connections": 20, "part": "headers", "bound_s": BOUND_S, "interval_s": 0.02}
    return slow_clients.run(SlowPlan(url=url, image=image, **(defaults | plan)))


# Closing a socket with unread bytes sends a reset, so `close` is tested with few bytes only.
@pytest.mark.parametrize(
    ("behaviour", "part", "ends"),
    [
        (respond_408, "headers", {"by_status": {408: 20}}),
        (respond_408, "body", {"by_status": {408: 20}}),
        (reset, "headers", {"reset": 20}),
        (reset, "body", {"reset": 20}),
        (close, "headers", {"closed": 20}),
    ],
)
def test_closed_connections_are_counted_by_outcome(images, behaviour, part, ends):
    with serving(Handler, handle=behaviour) as stub:
        report = run_slow_clients(stub.url, images[0], part=part)
    assert report == SlowReport(**(vars(NOTHING) | ends))


def test_open_connections_are_counted_at_the_bound(images):
    with serving(Handler, handle=wait) as stub:
        # The bound must suffice to connect all, on a busy machine too.
        report = run_slow_clients(stub.url, images[0], connections=3, bound_s=2)
    assert report == SlowReport(**(vars(NOTHING) | {"still_open": 3}))


@pytest.mark.parametrize("part", ["headers", "body"])
def test_bytes_are_sent_singly_and_form_a_request(images, part):
    received: list[bytes] = []

    def collect(handler: Handler) -> None:
        head = b""
        while (b"X-Slow: aaa" if part == "headers" else b"\r\n\r\n") not in head:
            head += handler.rfile.read(1)
        received.extend([head, handler.rfile.read1(500), handler.rfile.read1(500)])
        handler.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(Handler, handle=collect) as stub:
        url = f"{stub.url}/v1/cartoons"
        report = run_slow_clients(url, images[0], part=part, connections=1, interval_s=0.005)
    assert report.by_status == {400: 1}
    head, *drops = received
    assert head.startswith(b"POST /v1/cartoons HTTP/1.1\r\nHost: 127.0.0.1:")
    assert f"Content-Length: {len(images[0].data)}\r\n".encode() in head
    assert all(len(drop) < 500 for drop in drops)
    if part == "body":
        assert images[0].data.startswith(b"".join(drops))


def test_unreachable_server_counts_as_unconnected(images):
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert run_slow_clients(url, images[0], connections=3).unconnected == 3
