"""HTTP stub server: subclass `Handler` and pass it to `serving`."""

import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext, SSLError
from typing import Any, NamedTuple


class Request(NamedTuple):
    """Request line and headers of a request."""

    method: str
    path: str
    headers: Message


class Handler(BaseHTTPRequestHandler):
    """Request handler of a stub; `server.released` unblocks waiting handlers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # Headers and body are separate writes.
    server: "Stub"

    def parse_request(self) -> bool:
        """Record the request if it is valid."""
        if parsed := super().parse_request():
            self.server.requests.append(Request(self.command, self.path, self.headers))
        return parsed

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def respond(self) -> None:
        """Respond to a request; a subclass overrides this or `do_GET` and `do_POST`."""
        raise NotImplementedError

    def body(self) -> bytes:
        """Read the request's body; call it once."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def send(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a complete response."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """Reset the connection: closing with a linger time of zero sends RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Stub(ThreadingHTTPServer):
    """Threaded HTTP server with a handler."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(
        self, handler: type[Handler], host: str, port: int, tls: SSLContext | None = None
    ) -> None:
        super().__init__((host, port), handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://{host}:{self.server_port}"
        self.requests: list[Request] = []
        """All requests, in order."""
        self.released = threading.Event()
        """Set at shutdown; handlers that never respond wait for it."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that have disconnected."""
        if not isinstance(sys.exception(), ConnectionError | SSLError):
            super().handle_error(request, client_address)


@contextmanager
def serving(
    handler: type[Handler],
    host: str = "127.0.0.1",
    port: int = 0,
    tls: SSLContext | None = None,
    **attributes: Any,
) -> Iterator[Stub]:
    """Serve until the end of the block, by default on a free port.

    ``attributes`` become attributes of the handler's class.
    """
    with Stub(type(handler.__name__, (handler,), attributes), host, port, tls) as stub:
        thread = threading.Thread(target=stub.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stub
        finally:
            stub.released.set()
            stub.shutdown()
            thread.join()
