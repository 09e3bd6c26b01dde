"""Orphaned worker, whose arbiter was killed: frees its ports, drains, exits.

Otherwise a new replica could not listen on the same addresses until the old worker exits.
"""

import os
from threading import Event, Thread
from typing import Any

from dctnet import logs

EXIT_TIMED_OUT = 1
"""Exit status of an orphan that did not complete its requests; no process reads it."""


class Lifeline:
    """Pipe that the kernel closes when the arbiter exits: only it has the write end."""

    def __init__(self) -> None:
        """Open it in the arbiter, before a worker is forked."""
        self._read_end, self._write_end = os.pipe()

    def become_worker(self) -> None:
        """Close the write end in a worker."""
        os.close(self._write_end)

    def wait(self) -> None:
        """Wait until the arbiter has exited."""
        os.read(self._read_end, 1)


def start_watch(worker: Any) -> None:
    """Start the thread that shuts down an orphaned worker; a Gunicorn hook."""
    Thread(target=_exit_when_orphaned, args=(worker,), name="orphan-watch", daemon=True).start()


def _exit_when_orphaned(worker: Any) -> None:
    worker.app.lifeline.wait()
    worker.method_queue.defer(worker.drain_without_delay)
    worker.management.stop()
    # No arbiter is left to kill a worker that hangs.
    Event().wait(worker.replica.settings.graceful_timeout)
    logs.flush()
    os._exit(EXIT_TIMED_OUT)
