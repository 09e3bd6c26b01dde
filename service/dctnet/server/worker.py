"""Gunicorn thread worker: graceful shutdown, slow readers, lingering close.

A connection holds a thread from the first byte of its request until its response is sent or
queued. Idle connections and slow readers wait in the event loop.

It overrides methods of one pinned version of Gunicorn: `tests/unit/test_server_worker.py` fails
when the source of one of them changes.
"""

import errno
import gc
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
from dctnet.metrics import Resource, UnreadReason
from dctnet.replica import Replica
from dctnet.server import fork_signals, host_header, protocol_errors
from dctnet.server.client_socket import (
    SEND_BUFFER_BYTES,
    ClientSocket,
    SendLimits,
    UnsentResponses,
)
from dctnet.server.management import ManagementServer
from dctnet.server.read_timeouts import HeaderDeadline, RequestBody, TimedUnreader
from dctnet.server.thread_pool import ReservedThreadPool
from dctnet.shared_limits import GRACEFUL_MARGIN_S

if TYPE_CHECKING:
    from concurrent.futures import Future

LINGER_S = 2.0
"""How long a client may keep sending after its last response, in seconds."""

LINGER_READ_BYTES = 64 * 1024
"""Bytes per read of what a lingering client sends, which are discarded."""

ACCEPT_PAUSE_S = 0.1
"""Pause of accepting after a shortage, in seconds."""

SHORTAGES = {
    errno.EMFILE: Resource.FILE_DESCRIPTORS,
    errno.ENFILE: Resource.FILE_DESCRIPTORS,
    errno.ENOBUFS: Resource.MEMORY,
    errno.ENOMEM: Resource.MEMORY,
}
"""Errors of ``accept`` that mean a shortage; all others concern one connection."""

CHECK_INTERVAL_S = 0.25
"""Interval at which the event loop checks slow readers, in seconds."""

EXIT_MARGIN_S = 1.0
"""How long before the graceful timeout unread responses are aborted, in seconds."""

MAX_LATE_ACCEPT_S = GRACEFUL_MARGIN_S - EXIT_MARGIN_S
"""How long after the drain delay waiting clients may be accepted in a shortage, in seconds."""


class Worker(ThreadWorker):  # type: ignore[misc]  # Gunicorn has no types.
    """Worker of a replica; there is exactly one."""

    alive: bool
    _shutdown_requested = False
    _drain_until = inf
    _accept_resumes_at = 0.0
    _shutdown_at = inf
    _next_send_check_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = self.replica.settings
        limits = SendLimits(
            settings.response_idle_timeout, settings.min_response_rate, settings.response_timeout
        )
        self._unsent = UnsentResponses(limits, settings.max_unsent_bytes)
        self._sending: dict[ClientSocket, tuple[Any, Future[object]]] = {}
        self._lingering: dict[ClientSocket, Any] = {}  # In the order of their last responses.

    @property
    def replica(self) -> Replica:
        """Replica that the worker serves."""
        replica: Replica = self.app.replica
        return replica

    def init_process(self) -> None:
        """Start the management listener first."""
        for listener in self.sockets:  # Accepted connections inherit it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.management = ManagementServer(self.replica)
        self.management.start()
        super().init_process()

    def load_wsgi(self) -> None:
        """Create the application, the last import."""
        super().load_wsgi()
        gc.freeze()  # Collections would go through all modules.
        gc.enable()

    def get_thread_pool(self) -> ReservedThreadPool:
        """Create the pool of request threads."""
        return ReservedThreadPool(self.cfg.threads, partial(self._count_shortage, Resource.THREADS))

    def init_signals(self) -> None:
        """Set the handlers, then unblock the signals that were blocked during the fork."""
        super().init_signals()
        fork_signals.unblock_signals()

    def run(self) -> None:
        """Serve until shutdown, then record the responses that were not read."""
        super().run()
        for sock in self._sending:
            sock.abort(UnreadReason.SHUTDOWN)
            self._record_response(sock)

    # Graceful shutdown: SIGTERM, drain delay, accept the backlog, close listeners, complete.

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002 - A signal's handler.
        """Start draining on SIGTERM; Gunicorn would leave its loop and reset the backlog."""
        self._shutdown_requested = True
        # Wakes the loop: a signal handler must not take locks.
        self.method_queue.defer(lambda: None)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Exit at once on SIGINT and SIGQUIT, without locks.

        Gunicorn's handler takes a lock of the pool first. The main thread, which runs the handler,
        may hold that lock and would wait for itself.
        """
        super(ThreadWorker, self).handle_quit(sig, frame)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Serve one round of events, and continue a drain."""
        now = monotonic()
        wakeups = [
            wakeup for wakeup in (self._drain_until, self._accept_resumes_at) if wakeup > now
        ]
        timeout = min([timeout, *(wakeup - now for wakeup in wakeups)])
        if self._sending or self._lingering:
            timeout = min(timeout, CHECK_INTERVAL_S)
        try:
            super().wait_for_and_dispatch_events(timeout)
        except MemoryError:  # Existing connections will release some.
            self._count_shortage(Resource.MEMORY)
            self._pause_accepting()
        self.replica.accept_loop.record()
        self._abort_overdue()
        self._close_expired()
        self._evict_connection()
        if not self._shutdown_requested or not self.alive:
            return
        if self._drain_until == inf:
            self._start_draining(self.replica.settings.drain_delay)
        if monotonic() >= self._drain_until:
            self._stop_accepting()

    def drain_without_delay(self) -> None:
        """Start draining without a delay: the next replica needs an orphan's port."""
        self._shutdown_requested = True
        self._start_draining(delay=0.0)

    def _start_draining(self, delay: float) -> None:
        now = monotonic()
        self._drain_until = now + delay
        self._shutdown_at = now + self.replica.settings.graceful_timeout - EXIT_MARGIN_S
        self.replica.drain()
        self.max_keepalived = 0  # Responses have `Connection: close` from now on.

    def _stop_accepting(self) -> None:
        """Accept the whole backlog, then close the listeners.

        Closing them earlier would reset waiting connections. In a shortage it retries while
        accepted requests can still be completed.
        """
        self._accept_resumes_at = 0.0
        while not self._accept_resumes_at and (ready := select.select(self.sockets, [], [], 0)[0]):
            for listener in ready:
                self.accept(listener)
        now = monotonic()
        for conn in (*self.pending_conns, *self.keepalived_conns):
            conn.timeout = min(conn.timeout, now + STOP_KEEPALIVE_LINGER)
        if self._accept_resumes_at and now < self._drain_until + MAX_LATE_ACCEPT_S:
            return
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        self.alive = False

    # Connections: idle ones wait in the event loop, and are evicted at the limit.

    def accept(self, listener: Any) -> None:
        """Accept a connection; it holds no thread before its first byte arrives."""
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
        conn.data_ready = True  # True by the time a thread gets it.
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
            self._close(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Watch the listeners or not; never during the pause after a shortage."""
        if enabled and monotonic() < self._accept_resumes_at:
            return
        if enabled:
            self._accept_resumes_at = 0.0
        super().set_accept_enabled(enabled)

    def _pause_accepting(self) -> None:
        """Pause accepting: in a shortage, ready listeners would keep the loop busy."""
        self._accept_resumes_at = monotonic() + ACCEPT_PAUSE_S
        if self.alive:
            self.set_accept_enabled(False)

    def _evict_connection(self) -> None:
        """At the connection limit, close the least useful connection.

        First the oldest lingering one. Then the oldest idle one: before its first request or
        between requests, whichever group is larger. Then the one with the least recent read.
        """
        if self.nr_conns < self.worker_connections:
            return
        if self._lingering:
            self._stop_lingering(next(iter(self._lingering)))
        elif idle := max(self.pending_conns, self.keepalived_conns, key=len):
            conn = idle.popleft()
            self.poller.unregister(conn.sock)
            self._close(conn)
        elif self._sending:
            min(self._sending, key=lambda sock: sock.progressed_at).abort(UnreadReason.CONNECTIONS)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def _count_shortage(self, resource: Resource) -> None:
        self.replica.metrics.shortages.labels(resource).inc()

    # Slow clients.

    def handle(self, conn: Any) -> object:
        """Serve one request of a connection, with a deadline for its headers."""
        logs.request_ids.set({})  # Those of the thread's last request.
        if not conn.initialized:
            conn.init()
            conn.parser.unreader = TimedUnreader(conn.sock)
        conn.parser.unreader.set_deadline(HeaderDeadline(self.replica.settings.header_timeout))
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> object:
        """Pass the request to the application with a body that enforces the upload limits."""
        host_header.check_host(req)
        settings = self.replica.settings
        req.body = RequestBody(
            req,
            conn.sock,
            conn.parser.unreader,
            settings.upload_idle_timeout,
            settings.min_upload_rate,
        )
        keeps_alive: object = super().handle_request(req, conn)
        return keeps_alive

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Respond to protocol errors with a problem document."""
        response = protocol_errors.protocol_error_response(exc)
        if response is None:
            super().handle_error(req, client, addr, exc)
            return
        self.replica.metrics.requests.labels("none", "none", response.status).inc()
        with suppress(OSError):
            client.sendall(response.data)

    def finish_request(self, conn: Any, fs: "Future[object]") -> None:
        """Send the rest of a response from the event loop, then continue the connection."""
        sock: ClientSocket = conn.sock
        if not sock.has_unsent:
            self._continue_connection(conn, fs)
        elif sock.flush():
            self._finish_sending(conn, fs)
        else:
            self._watch_writable(conn, fs)

    def _watch_writable(self, conn: Any, fs: "Future[object]") -> None:
        sock: ClientSocket = conn.sock
        try:
            self.poller.register(sock, selectors.EVENT_WRITE, self._send_queued)
        except OSError:  # The kernel has no memory for one more event.
            self._count_shortage(Resource.MEMORY)
            sock.abort(UnreadReason.MEMORY)
            self._finish_sending(conn, fs)
        else:
            self._sending[sock] = conn, fs

    def _send_queued(self, sock: ClientSocket) -> None:
        if sock.flush():
            self.poller.unregister(sock)
            self._finish_sending(*self._sending.pop(sock))

    def _finish_sending(self, conn: Any, fs: "Future[object]") -> None:
        self._record_response(conn.sock)
        if conn.sock.unread is not None:
            self._close(conn)
        else:
            self._continue_connection(conn, fs)

    def _continue_connection(self, conn: Any, fs: "Future[object]") -> None:
        """Wait for the next request of a connection, or linger after its last response."""
        if fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """Lingering close: the response arrives even while the client still sends.

        Closing at once would reset the connection, and the client would lose an unread response
        (RFC 9112, 9.6). Gunicorn's own lingering close blocks the accept loop.
        """
        sock: ClientSocket = conn.sock
        conn.timeout = monotonic() + LINGER_S
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
            self.poller.register(sock, selectors.EVENT_READ, self._discard_input)
        except (
            OSError
        ):  # The client has disconnected, or the kernel has no memory for one more event.
            self._close(conn)
        else:
            self._lingering[sock] = conn
            self._discard_input(sock)  # Most clients have closed already.

    def _discard_input(self, sock: ClientSocket) -> None:
        """Discard what a client sends after its last response, until it closes."""
        try:
            if sock.recv(LINGER_READ_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:  # The client has disconnected.
            pass
        self._stop_lingering(sock)

    def _close_expired(self) -> None:
        """Close lingering connections that have timed out."""
        now = monotonic()
        for sock in [sock for sock, conn in self._lingering.items() if conn.timeout <= now]:
            self._stop_lingering(sock)

    def _stop_lingering(self, sock: ClientSocket) -> None:
        self.poller.unregister(sock)
        self._close(self._lingering.pop(sock))

    def _record_response(self, sock: ClientSocket) -> None:
        """Count and log how a queued response ended."""
        if sock.unread is not None:
            self.replica.metrics.unread_responses.labels(sock.unread).inc()
        sock.end_response()

    def _abort_overdue(self) -> None:
        """Abort responses that have timed out; checks once per ``CHECK_INTERVAL_S``."""
        if monotonic() < self._next_send_check_at:
            return
        self._next_send_check_at = monotonic() + CHECK_INTERVAL_S
        for sock in self._sending:
            reason = sock.timeout_reason(self._shutdown_at)
            if reason is not None:
                sock.abort(reason)  # Closing a connection wakes the loop.
