"""A real HTTP server that answers as its paths say: rightly, wrongly, cut short, or never."""

import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.encoded import decoded, encoded

BOUND_S = 30
"""How long anything may take here, on a busy machine too."""

MIXED = ("right", "429", "wrong", "500", "503-5", "right", "cut", "text")
"""What `/mixed` answers in turn."""

STALL_S = 1.0
"""How long `/stalls` answers nobody after its first request came."""


class StandIn(ThreadingHTTPServer):
    """Draws the negative of a picture, or does what the path says instead."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.connections = 0
        self.requests: list[Any] = []
        """The headers of all requests, in the order in which they came."""
        self.in_flight = 0
        self.most_in_flight = 0
        self.ended = threading.Event()
        self.turns = itertools.cycle(MIXED)
        self.stalled_until: float | None = None
        self.crowds = {"crowd-10": threading.Barrier(10), "crowd-500": threading.Barrier(500)}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up here on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.answered = 0
        with self.server.lock:
            self.server.connections += 1

    def log_message(self, *_: object) -> None:
        """Be silent."""

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with server.lock:
            server.requests.append(self.headers)
            server.in_flight += 1
            server.most_in_flight = max(server.most_in_flight, server.in_flight)
            path = self.path.strip("/")
            name = next(server.turns) if path == "mixed" else path
        _BEHAVIOURS.get(name, _status)(self, name, body)
        self.answered += 1

    def answer(
        self,
        status: int,
        body: bytes,
        content_type: str | None = "image/png",
        *,
        headers: dict[str, str] | None = None,
        missing: int = 0,
    ) -> None:
        self.left()
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) - missing])

    def reset(self) -> None:
        self.left()
        # Closing with a linger time of zero sends RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def hang(self) -> None:
        self.server.ended.wait(BOUND_S)
        self.close_connection = True

    def speak_no_http(self) -> None:
        self.left()
        self.wfile.write(b"who is there?\r\n\r\n")
        self.close_connection = True

    def cut(self, body: bytes) -> None:
        self.answer(200, body, missing=1)
        self.close_connection = True

    def stall(self) -> None:
        """Wait until the stall that the first request began is over."""
        with self.server.lock:
            if self.server.stalled_until is None:
                self.server.stalled_until = time.monotonic() + STALL_S
        self.server.ended.wait(max(0.0, self.server.stalled_until - time.monotonic()))

    def left(self) -> None:
        """Say that a request is on its way no more, before its client can know and ask again."""
        with self.server.lock:
            self.server.in_flight -= 1


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
    handler.server.crowds[name].wait(BOUND_S)
    _right(handler, name, body)


def _status(handler: _Handler, name: str, _: bytes) -> None:
    """Answer with a status, and what stands behind it as Retry-After."""
    status, _, retry_after = name.partition("-")
    handler.answer(int(status), b"", headers={"Retry-After": retry_after} if retry_after else {})


_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"

_BEHAVIOURS: dict[str, Callable[[_Handler, str, bytes], None]] = {
    "right": _right,
    "v1/cartoons": _right,
    "wrong": lambda handler, _, body: handler.answer(200, body),
    "smaller": lambda handler, _, body: handler.answer(200, encoded(decoded(body)[1:])),
    "text": lambda handler, _, __: handler.answer(200, b"hello", "text/plain; charset=utf-8"),
    "untyped": lambda handler, _, body: handler.answer(200, negative(body), None),
    "jpeg-as-png": lambda handler, _, body: handler.answer(200, encoded(decoded(body), "JPEG")),
    "half-a-picture": _half_a_picture,
    "cut": lambda handler, _, body: handler.cut(negative(body)),
    "reset": lambda handler, _, __: handler.reset(),
    "right-then-reset": _right_then_reset,
    "hang": lambda handler, _, __: handler.hang(),
    "not-http": lambda handler, _, __: handler.speak_no_http(),
    "closes": lambda handler, _, body: handler.answer(
        200, negative(body), headers={"Connection": "close"}
    ),
    "stalls": _stalls,
    "crowd-10": _crowd,
    "crowd-500": _crowd,
    "429-date": lambda handler, _, __: _status(handler, f"429-{_DATE}", b""),
}
"""By path; any other path is a status."""


@contextmanager
def running() -> Iterator[StandIn]:
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
