"""Management listener: health probes and metrics, on their own port and thread.

It responds while all request threads are busy. Do not expose it in the Ingress.
"""

import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from prometheus_client.exposition import choose_encoder

from dctnet.replica import Replica
from dctnet.server.single_thread_server import Response, SingleThreadServer

logger = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"


class ManagementServer(Thread):
    """Thread that serves the management port until the process exits."""

    def __init__(self, replica: Replica) -> None:
        """Listen at once, so that an address in use fails before anything is loaded."""
        super().__init__(name="management", daemon=True)
        self._replica = replica
        self._server = SingleThreadServer(replica.settings.management_bind, self._respond)

    def run(self) -> None:
        """Serve."""
        self._server.serve()

    def _respond(self, head: bytes, is_last: bool) -> Response:
        try:
            request = _Request(self._replica, head, is_last)
            request.handle_one_request()
        except Exception:  # A defect must not stop the probes.
            logger.exception("a request to the management port failed")
            return Response(_FAILED, is_last=True)
        return Response(request.wfile.getvalue(), request.close_connection)

    def stop(self) -> None:
        """Close the listener; accepted connections are still served."""
        self._server.stop_listening()


_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _Request(BaseHTTPRequestHandler):
    """One request with a complete head, and its response in memory."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # HTTP/0.9 responses have no headers.
    error_content_type = TEXT
    error_message_format = "%(message)s\n"
    wfile: BytesIO

    def __init__(self, replica: Replica, head: bytes, is_last: bool) -> None:
        # The base class's constructor would read from a socket.
        self._replica = replica
        self._is_last = is_last
        self.rfile, self.wfile = BytesIO(head), BytesIO()

    def do_GET(self) -> None:
        """Respond with a probe's result or the metrics."""
        try:
            url = urlsplit(self.path)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        probes = self._replica.probes
        if url.path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._send(HTTPStatus.OK, content_type, encode(self._replica.metrics.registry))
        elif url.path in probes:
            verbose = "verbose" in parse_qs(url.query, keep_blank_values=True)
            result = probes[url.path].run()
            # A failed probe always says why.
            lines = result.lines if verbose or not result.passed else result.lines[-1:]
            status = HTTPStatus.OK if result.passed else HTTPStatus.SERVICE_UNAVAILABLE
            self._send(status, TEXT, ("\n".join(lines) + "\n").encode())
        else:
            paths = ", ".join([*probes, "/metrics"])
            self._send(HTTPStatus.NOT_FOUND, TEXT, f"There are {paths}.\n".encode())

    def do_HEAD(self) -> None:
        """Respond as to GET, without the content."""
        self.do_GET()

    def _send(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        has_body = self.headers.get("Content-Length", "0") != "0"
        if self._is_last or has_body or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - The base class's.
        """Respond with an error that repeats nothing of the request."""
        super().send_error(code)

    def version_string(self) -> str:
        """Return the `Server` header, without a version."""
        return "dctnet"

    def log_message(self, *_: object) -> None:
        """Log nothing for probes."""
