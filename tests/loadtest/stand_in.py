"""A real HTTP server that answers as its paths say: rightly, wrongly, cut short, or never."""

import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.support.encoded import decoded, encoded
from tests.support.http_stub import Handler, Request, serving
from tests.support.polling import BOUND_S

MIXED = ("right", "429", "wrong", "500", "503-5", "right", "cut", "text")
"""What `/mixed` answers in turn."""

STALL_S = 1.0
"""How long `/stalls` answers nobody after its first request came."""


class StandIn:
    """Draws the negative of a picture, or does what the path says instead."""

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

    def answer(
        self,
        status: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        content_type: str | None = "image/png",
    ) -> None:
        self.left()
        typed = {"Content-Type": content_type} if content_type else {}
        super().answer(status, body, {**typed, **(headers or {})})

    def reset(self) -> None:
        self.left()
        # Closing with a linger time of zero sends RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def hang(self) -> None:
        self.server.released.wait(BOUND_S)
        self.close_connection = True

    def speak_no_http(self) -> None:
        self.left()
        self.wfile.write(b"who is there?\r\n\r\n")
        self.close_connection = True

    def cut(self, body: bytes) -> None:
        """Send all but the last byte."""
        self.left()
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:-1])
        self.close_connection = True

    def stall(self) -> None:
        """Wait until the stall that the first request began is over."""
        with self.stand_in.lock:
            if self.stand_in.stalled_until is None:
                self.stand_in.stalled_until = time.monotonic() + STALL_S
        self.server.released.wait(max(0.0, self.stand_in.stalled_until - time.monotonic()))

    def left(self) -> None:
        """Say that a request is on its way no more, before its client can know and ask again."""
        with self.stand_in.lock:
            self.stand_in.in_flight -= 1


def negative(data: bytes) -> bytes:
    return encoded(255 - decoded(data))


def _right(handler: _Handler, _: str, body: bytes) -> None:
    handler.answer(200, negative(body))


def _right_then_reset(handler: _Handler, name: str, body: bytes) -> None:
    if handler.answered:
        handler.reset()
    else:
        _right(handler, name, body)


def _half_a_picture(handler: _Handler, _: str, body: bytes) -> None:
    data = negative(body)
    handler.answer(200, data[: len(data) // 2])


def _stalls(handler: _Handler, name: str, body: bytes) -> None:
    handler.stall()
    _right(handler, name, body)


def _crowd(handler: _Handler, name: str, body: bytes) -> None:
    """Answer nobody before so many have come."""
    handler.stand_in.crowds[name].wait(BOUND_S)
    _right(handler, name, body)


def _status(handler: _Handler, name: str, _: bytes) -> None:
    """Answer with a status, and what stands behind it as Retry-After."""
    status, _, retry_after = name.partition("-")
    handler.answer(int(status), headers={"Retry-After": retry_after} if retry_after else {})


_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"

_BEHAVIOURS: dict[str, Callable[[_Handler, str, bytes], None]] = {
    "right": _right,
    "v1/cartoons": _right,
    "wrong": lambda handler, _, body: handler.answer(200, body),
    "smaller": lambda handler, _, body: handler.answer(200, encoded(decoded(body)[1:])),
    "text": lambda handler, _, __: handler.answer(
        200, b"hello", content_type="text/plain; charset=utf-8"
    ),
    "untyped": lambda handler, _, body: handler.answer(200, negative(body), content_type=None),
    "jpeg-as-png": lambda handler, _, body: handler.answer(200, encoded(decoded(body), "JPEG")),
    "half-a-picture": _half_a_picture,
    "cut": lambda handler, _, body: handler.cut(negative(body)),
    "reset": lambda handler, _, __: handler.reset(),
    "right-then-reset": _right_then_reset,
    "hang": lambda handler, _, __: handler.hang(),
    "not-http": lambda handler, _, __: handler.speak_no_http(),
    "closes": lambda handler, _, body: handler.answer(200, negative(body), {"Connection": "close"}),
    "stalls": _stalls,
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
