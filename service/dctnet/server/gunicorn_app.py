"""Gunicorn application, arbiter and options: one worker with threads."""

import logging
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from gunicorn import glogging  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from dctnet import logs
from dctnet.config import Settings
from dctnet.server import file_descriptors, fork_signals, head_limits, orphan
from dctnet.shared_limits import SPARE_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from dctnet.codecs.launching import Launcher
    from dctnet.replica import Replica

logger = logging.getLogger(__name__)

SPARE_CONNECTIONS = 1024
"""Connections beyond the threads, for idle clients."""

KEEP_ALIVE_S = 75
"""Keep-alive timeout: longer than the 60 s of common proxies, so that they close first and never
send a request into a closing connection."""

HEARTBEAT_TIMEOUT_S = 120
"""Heartbeat timeout of the main thread. Importing TensorFlow from a cold disk blocks it a while."""


class ReplicaArbiter(Arbiter):  # type: ignore[misc]  # Gunicorn has no types.
    """Gunicorn's arbiter, which handles only exit signals."""

    SIGNALS = fork_signals.EXIT_SIGNALS

    def init_signals(self) -> None:
        """Set the handlers, and ignore all other signals."""
        super().init_signals()
        fork_signals.ignore_signals()


class GunicornLogger(glogging.Logger):  # type: ignore[misc]  # Gunicorn has no types.
    """Gunicorn's logger, whose records go to the handler of all others."""

    def setup(self, cfg: Any) -> None:
        """Drop Gunicorn's own handlers."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class GunicornApp(BaseApplication):  # type: ignore[misc]  # Gunicorn has no types.
    """Gunicorn application of one replica."""

    replica: "Replica | None" = None
    """Replica of the worker; None in the arbiter."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        make_replica: "Callable[[Launcher], Replica]",
    ) -> None:
        """Take the API's socket, and what makes the replica, in the worker."""
        self.settings = settings
        self.listener = listener
        self.make_replica = make_replica
        self.lifeline = orphan.Lifeline()
        super().__init__()

    def load_config(self) -> None:
        """Set Gunicorn's options; called by the base class."""
        options = gunicorn_options(self.settings)
        # Gunicorn's own sockets leave it to the system whether they are dual-stack.
        options["bind"] = f"fd://{self.listener.detach()}"
        requested = options["worker_connections"]
        try:
            connections = file_descriptors.connections_within_limit(requested)
        except OSError as error:
            logger.error("%s", error)
            sys.exit(1)
        if connections < requested:
            logger.warning(
                "the limit of open files leaves room for %d connections, not %d",
                connections,
                requested,
            )
        for name, value in (options | {"worker_connections": connections}).items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Serve until a signal stops the process."""
        # Gunicorn would remove it from every request's path.
        os.environ.pop("SCRIPT_NAME", None)
        fork_signals.block_signals_at_fork()
        try:
            ReplicaArbiter(self).run()
        except RuntimeError as error:  # Raised by Gunicorn for an invalid configuration.
            logger.error("%s", error)
            sys.exit(1)

    def load(self) -> "Flask":
        """Create the application, in the worker."""
        from dctnet.app import create_app

        assert self.replica is not None, "The worker makes it first."
        return create_app(self.replica)


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return the options that differ from Gunicorn's defaults."""
    threads = settings.slots + settings.queue_size + settings.max_uploads + SPARE_THREADS
    return {
        "workers": 1,
        "worker_class": "dctnet.server.worker_process.WorkerProcess",
        "threads": threads,
        "worker_connections": threads + SPARE_CONNECTIONS,
        "keepalive": KEEP_ALIVE_S,
        "graceful_timeout": settings.graceful_timeout,
        "timeout": HEARTBEAT_TIMEOUT_S,
        # The worker's heartbeat is a file, and writing to a busy disk can block.
        "worker_tmp_dir": settings.worker_tmp_dir and str(settings.worker_tmp_dir),
        # The event loop sends files, like all responses.
        "sendfile": False,
        # Its socket would be in the home folder, which may be read-only.
        "control_socket_disable": True,
        # Neither headers nor variables set the path, its prefix or the scheme: headers with an
        # underscore in their name are dropped, all others are left to the application.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        "header_map": "drop",
        "limit_request_line": head_limits.MAX_REQUEST_LINE_BYTES,
        "limit_request_fields": head_limits.MAX_HEADERS,
        "limit_request_field_size": head_limits.MAX_HEADER_BYTES,
        "loglevel": "warning",
        "logger_class": GunicornLogger,
        "when_ready": _log_address,
        "post_fork": _become_worker,
        "post_worker_init": orphan.start_watch,
        "worker_exit": _exit_worker,
    }


def _log_address(arbiter: Any) -> None:
    logger.info("listening on http://%s", arbiter.app.settings.bind)


def _become_worker(arbiter: Any, worker: Any) -> None:  # noqa: ARG001 - Gunicorn's hook.
    worker.app.lifeline.become_worker()
    logs.start_thread()


def _exit_worker(arbiter: Any, worker: Any) -> None:  # noqa: ARG001 - Gunicorn's hook.
    replica = worker.app.replica
    if replica is not None:
        replica.stop()
    exit_in_flight = sys.exception()
    ends_well = isinstance(exit_in_flight, SystemExit) and not exit_in_flight.code
    if ends_well and replica is not None and not replica.lifecycle.was_ready:
        logs.flush()
        # Python would wait for the thread pools that still load the model.
        os._exit(0)
