"""A server on loopback whose answers a test chooses: a subclass of `Handler` and `serving`."""

import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """What came of a request before its body."""

    method: str
    path: str
    headers: Message


class Handler(BaseHTTPRequestHandler):
    """Reads a request's body and sends whole answers; its server's `released` ends what waits."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # Headers and body are written one after the other.
    server: "Stub"

    def parse_request(self) -> bool:
        """Note the request, or reject what is none."""
        if parsed := super().parse_request():
            self.server.requests.append(Request(self.command, self.path, self.headers))
        return parsed

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def respond(self) -> None:
        """Answer a request: the stub's own, where it has no method such as `do_GET`."""
        raise NotImplementedError

    def body(self) -> bytes:
        """The request's body; to be called once."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """End the connection without an answer; closing with a linger time of zero sends RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: what a test says of a request is in its assertions."""


class Stub(ThreadingHTTPServer):
    """A server of a handler's answers."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, handler: type[Handler], host: str, port: int) -> None:
        super().__init__((host, port), handler)
        self.url = f"http://{host}:{self.server_port}"
        self.requests: list[Request] = []
        """All that came, in their order."""
        self.released = threading.Event()
        """Set at the end: a handler that answers never waits for it."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(
    handler: type[Handler], host: str = "127.0.0.1", port: int = 0, **attributes: Any
) -> Iterator[Stub]:
    """Serve until the end of the block, on a free port where none is given.

    The attributes are the handler's: what its answers depend on, and where it notes requests.
    """
    with Stub(type(handler.__name__, (handler,), attributes), host, port) as stub:
        thread = threading.Thread(target=stub.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stub
        finally:
            stub.released.set()
            stub.shutdown()
            thread.join()
