"""A server on loopback whose answers a test chooses: a subclass of `Handler` and `serving`."""

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Reads a request's body and sends whole answers; its server's `released` ends what waits."""

    protocol_version = "HTTP/1.1"
    server: "Stub"

    def body(self) -> bytes:
        """The request's body; to be called once."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: what a test says of a request is in its assertions."""


class Stub(ThreadingHTTPServer):
    """A server of a handler's answers."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[Handler], host: str, port: int) -> None:
        super().__init__((host, port), handler)
        self.url = f"http://{host}:{self.server_port}"
        self.released = threading.Event()
        """Set at the end: a handler that answers never waits for it."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(handler: type[Handler], host: str = "127.0.0.1", port: int = 0) -> Iterator[Stub]:
    """Serve until the end of the block, on a free port where none is given."""
    with Stub(handler, host, port) as stub:
        thread = threading.Thread(target=stub.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stub
        finally:
            stub.released.set()
            stub.shutdown()
            thread.join()
