"""Gunicorn's thread worker, taught to drain, to bound slow clients, and to let go of them.

The methods that it overrides are those of one version of Gunicorn: the version is pinned, and
`tests/unit/test_server_worker.py` fails when the text of one of them changes.
"""

import select
import socket
from contextlib import suppress
from time import monotonic
from typing import Any

from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    _DEFER,
    DEFAULT_WORKER_DATA_TIMEOUT,
    ThreadWorker,
)

from dctnet.replica import Replica
from dctnet.server import allocator, core_dumps, forking, refusals
from dctnet.server.management import Management
from dctnet.server.reading import ClientBody, HeaderRule, TimedUnreader

LINGER_S = 2.0
"""How long a client may go on to send after its answer before it is cut off, in seconds."""


class Worker(ThreadWorker):  # type: ignore[misc]  # Gunicorn has no types.
    """The one worker of a replica."""

    alive: bool
    _told_to_end = False
    _accepts_until: float | None = None

    @property
    def replica(self) -> Replica:
        """The replica that it serves."""
        replica: Replica = self.app.replica
        return replica

    def init_process(self) -> None:
        """Let the probes answer before anything heavy is imported."""
        core_dumps.forbid()
        allocator.keep_little()
        self.management = Management(self.replica)
        self.management.start()
        super().init_process()

    def init_signals(self) -> None:
        """Set the handlers, and then get the signals that were held since the fork."""
        super().init_signals()
        forking.take_signals()

    # Going down: SIGTERM -> accept on for the drain delay -> accept what waits -> close -> finish.

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002 - A signal's handler.
        """Begin to drain, on SIGTERM; Gunicorn would leave its loop and reset its backlog."""
        self._told_to_end = True
        self.method_queue.defer(lambda: None)  # Wakes the loop: a handler must not take locks.

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Serve one round of events, and go on with the drain if there is one."""
        if self._accepts_until is not None:
            timeout = max(0.0, min(timeout, self._accepts_until - monotonic()))
        super().wait_for_and_dispatch_events(timeout)
        if not self._told_to_end or not self.alive:
            return
        if self._accepts_until is None:
            self._accepts_until = monotonic() + self.replica.settings.drain_delay
            self.replica.drain()
            self.max_keepalived = 0  # Each answer says `Connection: close` from now on.
        if monotonic() >= self._accepts_until:
            self._stop_accepting()
            self.alive = False

    def drain_at_once(self) -> None:
        """Begin to drain without a delay, as an orphan, whose port the next replica needs."""
        self._told_to_end = True
        self._accepts_until = monotonic()
        self.replica.drain()
        self.max_keepalived = 0

    def _stop_accepting(self) -> None:
        """Accept until none waits, then close the listeners, which would reset who waits."""
        while ready := select.select(self.sockets, [], [], 0)[0]:
            for listener in ready:
                self.accept(listener)
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()

    # Slow clients.

    def handle(self, conn: Any) -> object:
        """Serve one request of a connection, whose headers must come in time."""
        if not conn.initialized:
            if not conn.wait_for_data(DEFAULT_WORKER_DATA_TIMEOUT):
                return _DEFER
            conn.init()
            conn.parser.unreader = TimedUnreader(conn.sock)
        conn.parser.unreader.apply(HeaderRule(self.replica.settings.header_timeout))
        keep: object = super().handle(conn)
        if keep is False:
            # Gunicorn's own way to let a client go holds up the loop that accepts.
            let_go(conn.sock)
        return keep

    def handle_request(self, req: Any, conn: Any) -> object:
        """Give the application a body that is read within the rules."""
        settings = self.replica.settings
        req.body = ClientBody(
            req, conn.sock, conn.parser.unreader, settings.upload_grace, settings.upload_rate
        )
        answered: object = super().handle_request(req, conn)
        return answered

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what is no request with a problem document."""
        answer = refusals.answer(exc)
        if answer is None:
            super().handle_error(req, client, addr, exc)
            return
        self.replica.metrics.requests.labels("none", "none", answer.status).inc()
        with suppress(OSError):
            client.sendall(answer.data)


def let_go(sock: socket.socket) -> None:
    """End a connection so that the answer arrives even while the client still sends.

    Closing at once would reset the connection, and the client would lose an answer that it has not
    read yet (RFC 9112, 9.6).
    """
    until = monotonic() + LINGER_S
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (left := until - monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(65536):
                return
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
