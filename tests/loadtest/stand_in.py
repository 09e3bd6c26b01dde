"""A real HTTP server that answers as its paths say: rightly, wrongly, cut short, or never."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.support.encoded_images import decoded, encoded
from tests.support.http_stub import Handler, Request, serving
from tests.support.polling import BOUND_S

MIXED = ("right", "429", "wrong", "500", "503-5", "right", "cut", "text")
"""What `/mixed` answers in turn."""

STALL_S = 1.0
"""How long `/stalls` answers nobody after its first request came."""


PNG = {"Content-Type": "image/png"}


class StandIn:
    """Draws the negative of an image, or does what the path says instead."""

    url: str
    requests: list[Request]
    """All of them, in the order in which they came."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.turns = itertools.cycle(MIXED)
        self.stalled_until: float | None = None
        self.crowds = {"crowd-10": threading.Barrier(10), "crowd-500": threading.Barrier(500)}


class _Handler(Handler):
    stand_in: StandIn

    def setup(self) -> None:
        super().setup()
        self.answered = 0
        with self.stand_in.lock:
            self.stand_in.connections += 1

    def respond(self) -> None:
        stand_in, body = self.stand_in, self.body()
        with stand_in.lock:
            stand_in.in_flight += 1
            stand_in.most_in_flight = max(stand_in.most_in_flight, stand_in.in_flight)
            path = self.path.strip("/")
            name = next(stand_in.turns) if path == "mixed" else path
        _BEHAVIOURS.get(name, _status)(self, name, body)
        self.answered += 1

    def send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = PNG) -> None:
        with self.stand_in.lock:  # Before its client can know and ask again.
            self.stand_in.in_flight -= 1
        super().send(status, body, headers)


def negative(data: bytes) -> bytes:
    return encoded(255 - decoded(data))


def _right(handler: _Handler, _: str, body: bytes) -> None:
    handler.send(200, negative(body))


def _right_then_reset(handler: _Handler, name: str, body: bytes) -> None:
    if handler.answered:
        handler.reset()
    else:
        _right(handler, name, body)


def _half_an_image(handler: _Handler, _: str, body: bytes) -> None:
    data = negative(body)
    handler.send(200, data[: len(data) // 2])


def _cut(handler: _Handler, _: str, body: bytes) -> None:
    """Send all but the last byte."""
    data = negative(body)
    handler.send(200, data[:-1], PNG | {"Content-Length": str(len(data))})
    handler.close_connection = True


def _hang(handler: _Handler, *_: object) -> None:
    handler.server.released.wait(BOUND_S)
    handler.close_connection = True


def _speak_no_http(handler: _Handler, *_: object) -> None:
    handler.wfile.write(b"who is there?\r\n\r\n")
    handler.close_connection = True


def _stall(handler: _Handler, name: str, body: bytes) -> None:
    """Answer rightly when the stall that the first request began is over."""
    stand_in = handler.stand_in
    with stand_in.lock:
        stand_in.stalled_until = stand_in.stalled_until or time.monotonic() + STALL_S
    handler.server.released.wait(max(0.0, stand_in.stalled_until - time.monotonic()))
    _right(handler, name, body)


def _crowd(handler: _Handler, name: str, body: bytes) -> None:
    """Answer nobody before so many have come."""
    handler.stand_in.crowds[name].wait(BOUND_S)
    _right(handler, name, body)


def _status(handler: _Handler, name: str, _: bytes) -> None:
    """Answer with a status, and what stands behind it as Retry-After."""
    status, _, retry_after = name.partition("-")
    handler.send(int(status), headers={"Retry-After": retry_after} if retry_after else {})


_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"

_BEHAVIOURS: dict[str, Callable[[_Handler, str, bytes], None]] = {
    "right": _right,
    "v1/cartoons": _right,
    "wrong": lambda handler, _, body: handler.send(200, body),
    "smaller": lambda handler, _, body: handler.send(200, encoded(decoded(body)[1:])),
    "text": lambda handler, _, __: handler.send(
        200, b"hello", {"Content-Type": "text/plain; charset=utf-8"}
    ),
    "untyped": lambda handler, _, body: handler.send(200, negative(body), {}),
    "jpeg-as-png": lambda handler, _, body: handler.send(200, encoded(decoded(body), "JPEG")),
    "half-a-image": _half_an_image,
    "cut": _cut,
    "reset": lambda handler, _, __: handler.reset(),
    "right-then-reset": _right_then_reset,
    "hang": _hang,
    "not-http": _speak_no_http,
    "closes": lambda handler, _, body: handler.send(
        200, negative(body), PNG | {"Connection": "close"}
    ),
    "stalls": _stall,
    "crowd-10": _crowd,
    "crowd-500": _crowd,
    "429-date": lambda handler, _, __: _status(handler, f"429-{_DATE}", b""),
}
"""By path; any other path is a status."""


@contextmanager
def running() -> Iterator[StandIn]:
    stand_in = StandIn()
    with serving(_Handler, stand_in=stand_in) as stub:
        stand_in.url, stand_in.requests = stub.url, stub.requests
        yield stand_in
