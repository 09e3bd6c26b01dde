"""The management listener: probes and metrics, on a port and threads of their own.

It answers while every thread that serves requests is busy, and is never in the Ingress.
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from prometheus_client.exposition import choose_encoder

from dctnet.replica import Replica

TIMEOUT_S = 10
"""How long a client of this port may take to send its request, or be idle, in seconds."""


class Management(Thread):
    """Answers until the process ends."""

    def __init__(self, replica: Replica) -> None:
        """Listen at once, so that an address in use shows before anything is loaded."""
        super().__init__(name="management", daemon=True)
        self._server = _server(replica)

    def run(self) -> None:
        """Answer."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Close the listener; requests that were accepted are still answered."""
        self._server.shutdown()
        self._server.server_close()


def _server(replica: Replica) -> ThreadingHTTPServer:
    address = replica.settings.management_bind

    class Server(ThreadingHTTPServer):
        address_family = address.family
        daemon_threads = True
        request_queue_size = 128

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/metrics":
                self._send_metrics()
            elif url.path in replica.probes:
                verbose = "verbose" in parse_qs(url.query, keep_blank_values=True)
                verdict = replica.probes[url.path].ask()
                # A red probe says why, asked or not.
                lines = verdict.lines if verbose or not verdict.passed else verdict.lines[-1:]
                text = "\n".join(lines) + "\n"
                self._send(200 if verdict.passed else 503, "text/plain; charset=utf-8", text)
            else:
                paths = ", ".join([*replica.probes, "/metrics"])
                self._send(404, "text/plain; charset=utf-8", f"There are {paths}.\n")

        def _send_metrics(self) -> None:
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._send(200, content_type, encode(replica.metrics.registry))

        def _send(self, status: int, content_type: str, content: str | bytes) -> None:
            data = content.encode() if isinstance(content, str) else content
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Write no line for a probe."""

    return Server((address.host, address.port), Handler)
