"""Gunicorn's thread worker with graceful shutdown, limits on slow clients, and linger on close.

A connection holds a thread only from the first byte of a request to the last byte of its response
that the kernel takes: it waits for its request, and for its client to read, in the event loop.

The methods that it overrides are those of one version of Gunicorn: the version is pinned, and
`tests/unit/test_server_worker.py` fails when the text of one of them changes.
"""

import errno
import select
import selectors
import socket
from contextlib import suppress
from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    STOP_KEEPALIVE_LINGER,
    TConn,
    ThreadWorker,
)

from dctnet import logs
from dctnet.config import GRACEFUL_MARGIN_S
from dctnet.metrics import Resource, UnreadReason
from dctnet.replica import Replica
from dctnet.server import core_dumps, fork_signals, host_header, malloc, protocol_errors
from dctnet.server.client_socket import (
    SEND_BUFFER_BYTES,
    ClientSocket,
    SendLimits,
    UnsentResponses,
)
from dctnet.server.management import Management
from dctnet.server.read_timeouts import HeaderDeadline, RequestBody, TimedUnreader
from dctnet.server.thread_pool import ReservedThreadPool

if TYPE_CHECKING:
    from concurrent.futures import Future

LINGER_S = 2.0
"""How long a client may go on to send after its answer before it is cut off, in seconds."""

LINGER_READ_BYTES = 64 * 1024
"""How much of what such a client sends is read, and dropped, at once."""

ACCEPT_PAUSE_S = 0.1
"""How long no connection is accepted after one could not be, in seconds."""

SHORTAGES = {
    errno.EMFILE: Resource.FILE_DESCRIPTORS,
    errno.ENFILE: Resource.FILE_DESCRIPTORS,
    errno.ENOBUFS: Resource.MEMORY,
    errno.ENOMEM: Resource.MEMORY,
}
"""Errors of ``accept`` that end when something is closed; all others concern one connection."""

CHECK_INTERVAL_S = 0.25
"""How often the event loop compares the clients' progress with the limits, in seconds."""

EXIT_MARGIN_S = 1.0
"""How long before the end of the graceful shutdown unread responses are given up, in seconds."""

MAX_LATE_ACCEPT_S = GRACEFUL_MARGIN_S - EXIT_MARGIN_S
"""How long after the drain delay who waits may still be accepted, after a shortage, in seconds."""


class Worker(ThreadWorker):  # type: ignore[misc]  # Gunicorn has no types.
    """The one worker of a replica."""

    alive: bool
    _told_to_end = False
    _accepts_until = inf
    _accept_resumes_at = 0.0
    _ends_at = inf
    _checks_sending_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = self.replica.settings
        limits = SendLimits(
            settings.response_idle_timeout, settings.min_response_rate, settings.response_timeout
        )
        self._unsent = UnsentResponses(limits, settings.max_unsent_bytes)
        self._sending: dict[ClientSocket, tuple[Any, Future[object]]] = {}
        self._lingering: dict[ClientSocket, Any] = {}  # In the order of their ends.

    @property
    def replica(self) -> Replica:
        """The replica that it serves."""
        replica: Replica = self.app.replica
        return replica

    def init_process(self) -> None:
        """Let the probes answer before anything heavy is imported."""
        core_dumps.disable()
        malloc.limit_retained_memory()
        for listener in self.sockets:  # Accepted connections inherit it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.management = Management(self.replica)
        self.management.start()
        super().init_process()

    def get_thread_pool(self) -> ReservedThreadPool:
        """Make the pool of the threads that handle requests."""
        return ReservedThreadPool(self.cfg.threads, partial(self._count_shortage, Resource.THREADS))

    def init_signals(self) -> None:
        """Set the handlers, and then get the signals that were held since the fork."""
        super().init_signals()
        fork_signals.take_signals()

    def run(self) -> None:
        """Serve until the end, and then account for the responses that were not read."""
        super().run()
        for sock in self._sending:
            sock.cut_off(UnreadReason.SHUTDOWN)
            self._record_end(sock)

    # Going down: SIGTERM -> accept on for the drain delay -> accept what waits -> close -> finish.

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002 - A signal's handler.
        """Begin to drain, on SIGTERM; Gunicorn would leave its loop and reset its backlog."""
        self._told_to_end = True
        self.method_queue.defer(lambda: None)  # Wakes the loop: a handler must not take locks.

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Exit at once, on SIGINT and SIGQUIT; Gunicorn's handler takes a lock of the pool first.

        The main thread, which runs the handler, may hold that lock and would wait for itself.
        """
        super(ThreadWorker, self).handle_quit(sig, frame)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Serve one round of events, and go on with the drain if there is one."""
        now = monotonic()
        coming = [
            moment for moment in (self._accepts_until, self._accept_resumes_at) if moment > now
        ]
        timeout = min([timeout, *(moment - now for moment in coming)])
        if self._sending or self._lingering:
            timeout = min(timeout, CHECK_INTERVAL_S)
        try:
            super().wait_for_and_dispatch_events(timeout)
        except MemoryError:  # The connections that there are give it back.
            self._count_shortage(Resource.MEMORY)
            self._pause_accepting()
        self.replica.accept_loop.beat()
        self._cut_off_overdue()
        self._end_lingering()
        self._make_room()
        if not self._told_to_end or not self.alive:
            return
        if self._accepts_until == inf:
            self._begin_to_drain(self.replica.settings.drain_delay)
        if monotonic() >= self._accepts_until:
            self._stop_accepting()

    def drain_at_once(self) -> None:
        """Begin to drain without a delay, as an orphan, whose port the next replica needs."""
        self._told_to_end = True
        self._begin_to_drain(delay=0.0)

    def _begin_to_drain(self, delay: float) -> None:
        now = monotonic()
        self._accepts_until = now + delay
        self._ends_at = now + self.replica.settings.graceful_timeout - EXIT_MARGIN_S
        self.replica.drain()
        self.max_keepalived = 0  # Each answer says `Connection: close` from now on.

    def _stop_accepting(self) -> None:
        """Accept until none waits, then close the listeners, which would reset who waits.

        In a shortage it is tried again, as long as all that is accepted can still be finished.
        """
        self._accept_resumes_at = 0.0
        while not self._accept_resumes_at and (ready := select.select(self.sockets, [], [], 0)[0]):
            for listener in ready:
                self.accept(listener)
        now = monotonic()
        for conn in (*self.pending_conns, *self.keepalived_conns):
            conn.timeout = min(conn.timeout, now + STOP_KEEPALIVE_LINGER)
        if self._accept_resumes_at and now < self._accepts_until + MAX_LATE_ACCEPT_S:
            return
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        self.alive = False

    # Connections: they wait in the event loop for their request, and at the limit make room.

    def accept(self, listener: Any) -> None:
        """Accept a connection, which holds no thread before its first byte has come."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in SHORTAGES:
                self._count_shortage(SHORTAGES[error.errno])
                self._pause_accepting()
            return
        self.nr_conns += 1
        sock = ClientSocket(accepted, self._unsent)
        conn = TConn(self.cfg, sock, address, listener.getsockname())
        conn.data_ready = True  # By the time that a thread gets it.
        try:
            if sock.is_readable():
                self.enqueue_req(conn)
            else:
                conn.timeout = monotonic() + self.replica.settings.header_timeout
                self.poller.register(
                    sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn)
                )
                self.pending_conns.append(conn)
        except OSError:  # The kernel has no memory for one more event.
            self._count_shortage(Resource.MEMORY)
            self._pause_accepting()
            self._drop(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Watch the listeners or not; not before the pause after a shortage is over."""
        if enabled and monotonic() < self._accept_resumes_at:
            return
        if enabled:
            self._accept_resumes_at = 0.0
        super().set_accept_enabled(enabled)

    def _pause_accepting(self) -> None:
        """Accept nothing for a moment, in which the listeners would keep the loop busy."""
        self._accept_resumes_at = monotonic() + ACCEPT_PAUSE_S
        if self.alive:
            self.set_accept_enabled(False)

    def _make_room(self) -> None:
        """At the limit of connections, close the one that is of least use.

        That is the one whose last response was sent longest ago. Without such ones it is the idle
        one that has waited longest: before its first request or between two, by which are more.
        Without idle ones it is the one whose client has not read its response for longest.
        """
        if self.nr_conns < self.worker_connections:
            return
        if self._lingering:
            self._end_linger(next(iter(self._lingering)))
        elif idle := max(self.pending_conns, self.keepalived_conns, key=len):
            conn = idle.popleft()
            self.poller.unregister(conn.sock)
            self._drop(conn)
        elif self._sending:
            min(self._sending, key=lambda sock: sock.progressed_at).cut_off(
                UnreadReason.CONNECTIONS
            )

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def _count_shortage(self, resource: Resource) -> None:
        self.replica.metrics.shortages.labels(resource).inc()

    # Slow clients.

    def handle(self, conn: Any) -> object:
        """Serve one request of a connection, whose headers must come in time."""
        logs.request_ids.set({})  # Those of the thread's last request.
        if not conn.initialized:
            conn.init()
            conn.parser.unreader = TimedUnreader(conn.sock)
        conn.parser.unreader.apply(HeaderDeadline(self.replica.settings.header_timeout))
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> object:
        """Give the application a body that is read within the rules."""
        host_header.check_host(req)
        settings = self.replica.settings
        req.body = RequestBody(
            req,
            conn.sock,
            conn.parser.unreader,
            settings.upload_idle_timeout,
            settings.min_upload_rate,
        )
        answered: object = super().handle_request(req, conn)
        return answered

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what is no request with a problem document."""
        answer = protocol_errors.protocol_error_response(exc)
        if answer is None:
            super().handle_error(req, client, addr, exc)
            return
        self.replica.metrics.requests.labels("none", "none", answer.status).inc()
        with suppress(OSError):
            client.sendall(answer.data)

    def finish_request(self, conn: Any, fs: "Future[object]") -> None:
        """Send the rest of a response from the event loop, then go on with the connection."""
        sock: ClientSocket = conn.sock
        if not sock.has_unsent:
            self._go_on(conn, fs)
        elif sock.flush():
            self._end_sending(conn, fs)
        else:
            self._wait_to_send(conn, fs)

    def _wait_to_send(self, conn: Any, fs: "Future[object]") -> None:
        sock: ClientSocket = conn.sock
        try:
            self.poller.register(sock, selectors.EVENT_WRITE, self._send_more)
        except OSError:  # The kernel has no memory for one more event.
            self._count_shortage(Resource.MEMORY)
            sock.cut_off(UnreadReason.MEMORY)
            self._end_sending(conn, fs)
        else:
            self._sending[sock] = conn, fs

    def _send_more(self, sock: ClientSocket) -> None:
        if sock.flush():
            self.poller.unregister(sock)
            self._end_sending(*self._sending.pop(sock))

    def _end_sending(self, conn: Any, fs: "Future[object]") -> None:
        self._record_end(conn.sock)
        if conn.sock.unread is not None:
            self._drop(conn)
        else:
            self._go_on(conn, fs)

    def _go_on(self, conn: Any, fs: "Future[object]") -> None:
        """Wait for the next request of a connection, or let it go after its last response."""
        if fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """End a connection so that the response arrives even while the client still sends.

        Closing at once would reset the connection, and the client would lose a response that it
        has not read yet (RFC 9112, 9.6). Gunicorn's own way holds up the loop that accepts.
        """
        sock: ClientSocket = conn.sock
        conn.timeout = monotonic() + LINGER_S
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
            self.poller.register(sock, selectors.EVENT_READ, self._drop_input)
        except OSError:  # The client has gone, or the kernel has no memory for one more event.
            self._drop(conn)
        else:
            self._lingering[sock] = conn
            self._drop_input(sock)  # Most clients have closed already.

    def _drop_input(self, sock: ClientSocket) -> None:
        """Read and drop what a client sends after its last response, until it closes."""
        try:
            if sock.recv(LINGER_READ_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:  # The client has gone.
            pass
        self._end_linger(sock)

    def _end_lingering(self) -> None:
        """Close the connections whose clients have not closed them in time."""
        now = monotonic()
        for sock in [sock for sock, conn in self._lingering.items() if conn.timeout <= now]:
            self._end_linger(sock)

    def _end_linger(self, sock: ClientSocket) -> None:
        self.poller.unregister(sock)
        self._drop(self._lingering.pop(sock))

    def _record_end(self, sock: ClientSocket) -> None:
        """Count and log how a response ended that its client did not read at once."""
        if sock.unread is not None:
            self.replica.metrics.unread_responses.labels(sock.unread).inc()
        sock.end_response()

    def _cut_off_overdue(self) -> None:
        """Cut off the clients that read too slowly, now and then."""
        if monotonic() < self._checks_sending_at:
            return
        self._checks_sending_at = monotonic() + CHECK_INTERVAL_S
        for sock in self._sending:
            reason = sock.overdue(self._ends_at)
            if reason is not None:
                sock.cut_off(reason)  # Which wakes the loop, as every end of a connection does.
