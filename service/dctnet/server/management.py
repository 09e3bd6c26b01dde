"""The management listener: probes and metrics, on a port and a thread of their own.

It answers while every thread that serves requests is busy, and is never in the Ingress.
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


class Management(Thread):
    """Answers until the process ends."""

    def __init__(self, replica: Replica) -> None:
        """Listen at once, so that an address in use shows before anything is loaded."""
        super().__init__(name="management", daemon=True)
        self._replica = replica
        self._server = SingleThreadServer(replica.settings.management_bind, self._respond)

    def run(self) -> None:
        """Answer."""
        self._server.serve()

    def _respond(self, head: bytes, is_last: bool) -> Response:
        try:
            request = _Request(self._replica, head, is_last)
            request.handle_one_request()
        except Exception:  # A fault of ours must not end the probes.
            logger.exception("a request to the management port failed")
            return Response(_FAILED, is_last=True)
        return Response(request.wfile.getvalue(), request.close_connection)

    def stop(self) -> None:
        """Close the listener; connections that were accepted are still served."""
        self._server.stop_listening()


_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _Request(BaseHTTPRequestHandler):
    """One request, whose head has come whole, and its response in memory."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # Of HTTP/0.9 there are no headers in responses.
    error_content_type = TEXT
    error_message_format = "%(message)s\n"
    wfile: BytesIO

    def __init__(self, replica: Replica, head: bytes, is_last: bool) -> None:
        # The base class's constructor would read from a socket.
        self._replica = replica
        self._is_last = is_last
        self.rfile, self.wfile = BytesIO(head), BytesIO()

    def do_GET(self) -> None:
        """Answer a probe, or with the metrics."""
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
            verdict = probes[url.path].ask()
            # A red probe says why, asked or not.
            lines = verdict.lines if verbose or not verdict.passed else verdict.lines[-1:]
            status = HTTPStatus.OK if verdict.passed else HTTPStatus.SERVICE_UNAVAILABLE
            self._send(status, TEXT, ("\n".join(lines) + "\n").encode())
        else:
            paths = ", ".join([*probes, "/metrics"])
            self._send(HTTPStatus.NOT_FOUND, TEXT, f"There are {paths}.\n".encode())

    def do_HEAD(self) -> None:
        """Answer as to GET, without the content."""
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
        """Answer what cannot be served, without a word of the request in the response."""
        super().send_error(code)

    def version_string(self) -> str:
        """Return the header `Server`, without a version."""
        return "dctnet"

    def log_message(self, *_: object) -> None:
        """Write no line for a probe."""
