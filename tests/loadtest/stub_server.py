"""Stub HTTP server whose path selects the response: ok, invalid, truncated, none."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.support.encoded_images import decoded, encoded
from tests.support.http_stub import Handler, Request, serving
from tests.support.polling import BOUND_S

MIXED_RESPONSES = ("ok", "429", "wrong-image", "500", "503-5", "ok", "cut", "text")
"""Responses of `/mixed`, round robin."""

STALL_S = 1.0
"""Time without responses after the first request to `/stalls`, in seconds."""


PNG = {"Content-Type": "image/png"}


class StubServer:
    """Returns the negative of an image, or the response that the path selects."""

    url: str
    requests: list[Request]
    """All requests, in order of arrival."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.turns = itertools.cycle(MIXED_RESPONSES)
        self.stalled_until: float | None = None
        self.barriers = {
            "concurrent-10": threading.Barrier(10),
            "concurrent-500": threading.Barrier(500),
        }


class _Handler(Handler):
    stub: StubServer

    def setup(self) -> None:
        super().setup()
        self.answered = 0
        with self.stub.lock:
            self.stub.connections += 1

    def respond(self) -> None:
        stub, body = self.stub, self.body()
        with stub.lock:
            stub.in_flight += 1
            stub.max_in_flight = max(stub.max_in_flight, stub.in_flight)
            path = self.path.strip("/")
            name = next(stub.turns) if path == "mixed" else path
        _BEHAVIOURS.get(name, _status)(self, name, body)
        self.answered += 1

    def send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = PNG) -> None:
        with self.stub.lock:  # Before the client can receive it and send the next request.
            self.stub.in_flight -= 1
        super().send(status, body, headers)


def negative(data: bytes) -> bytes:
    return encoded(255 - decoded(data))


def _ok(handler: _Handler, _: str, body: bytes) -> None:
    handler.send(200, negative(body))


def _ok_then_reset(handler: _Handler, name: str, body: bytes) -> None:
    if handler.answered:
        handler.reset()
    else:
        _ok(handler, name, body)


def _half_image(handler: _Handler, _: str, body: bytes) -> None:
    data = negative(body)
    handler.send(200, data[: len(data) // 2])


def _cut(handler: _Handler, _: str, body: bytes) -> None:
    """Send a response without its last byte."""
    data = negative(body)
    handler.send(200, data[:-1], PNG | {"Content-Length": str(len(data))})
    handler.close_connection = True


def _hang(handler: _Handler, *_: object) -> None:
    handler.server.released.wait(BOUND_S)
    handler.close_connection = True


def _not_http(handler: _Handler, *_: object) -> None:
    handler.wfile.write(b"not HTTP\r\n\r\n")
    handler.close_connection = True


def _stall(handler: _Handler, name: str, body: bytes) -> None:
    """Respond after the stall that the first request started."""
    stub = handler.stub
    with stub.lock:
        stub.stalled_until = stub.stalled_until or time.monotonic() + STALL_S
    handler.server.released.wait(max(0.0, stub.stalled_until - time.monotonic()))
    _ok(handler, name, body)


def _wait_for_concurrency(handler: _Handler, name: str, body: bytes) -> None:
    """Respond when the barrier's number of requests are in flight."""
    handler.stub.barriers[name].wait(BOUND_S)
    _ok(handler, name, body)


def _status(handler: _Handler, name: str, _: bytes) -> None:
    """Respond with the status and optional ``Retry-After`` of the path."""
    status, _, retry_after = name.partition("-")
    handler.send(int(status), headers={"Retry-After": retry_after} if retry_after else {})


_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"

_BEHAVIOURS: dict[str, Callable[[_Handler, str, bytes], None]] = {
    "ok": _ok,
    "v1/cartoons": _ok,
    "wrong-image": lambda handler, _, body: handler.send(200, body),
    "smaller": lambda handler, _, body: handler.send(200, encoded(decoded(body)[1:])),
    "text": lambda handler, _, __: handler.send(
        200, b"hello", {"Content-Type": "text/plain; charset=utf-8"}
    ),
    "untyped": lambda handler, _, body: handler.send(200, negative(body), {}),
    "jpeg-as-png": lambda handler, _, body: handler.send(200, encoded(decoded(body), "JPEG")),
    "half-image": _half_image,
    "cut": _cut,
    "reset": lambda handler, _, __: handler.reset(),
    "ok-then-reset": _ok_then_reset,
    "hang": _hang,
    "not-http": _not_http,
    "closes": lambda handler, _, body: handler.send(
        200, negative(body), PNG | {"Connection": "close"}
    ),
    "stalls": _stall,
    "concurrent-10": _wait_for_concurrency,
    "concurrent-500": _wait_for_concurrency,
    "429-date": lambda handler, _, __: _status(handler, f"429-{_DATE}", b""),
}
"""Handlers by path; any other path is a status."""


@contextmanager
def run_stub_server() -> Iterator[StubServer]:
    stub = StubServer()
    with serving(_Handler, stub=stub) as http_server:
        stub.url, stub.requests = http_server.url, http_server.requests
        yield stub
