"""End of a worker whose arbiter was killed: it frees its ports, drains, and exits in bounded time.

Without it a new replica could not listen on the same addresses until the old worker has ended.
"""

import os
from threading import Event, Thread
from typing import Any

from dctnet import logs

EXIT_TIMED_OUT = 1
"""Exit status of an orphan that did not finish what it had accepted; no process reads it."""


class Lifeline:
    """A pipe whose write end only the arbiter holds: the kernel closes it when the arbiter ends."""

    def __init__(self) -> None:
        """Open it in the arbiter, before a worker is forked."""
        self._read_end, self._write_end = os.pipe()

    def become_worker(self) -> None:
        """Close the arbiter's end in a worker."""
        os.close(self._write_end)

    def wait(self) -> None:
        """Wait until the arbiter has ended."""
        os.read(self._read_end, 1)


def watch(worker: Any) -> None:
    """Start the thread that ends a worker when it becomes an orphan; a hook of Gunicorn."""
    Thread(target=_end_orphan, args=(worker,), name="orphan-watch", daemon=True).start()


def _end_orphan(worker: Any) -> None:
    worker.app.lifeline.wait()
    worker.method_queue.defer(worker.drain_at_once)
    worker.management.stop()
    # No arbiter is left to kill a worker that hangs.
    Event().wait(worker.replica.settings.graceful_timeout)
    logs.flush()
    os._exit(EXIT_TIMED_OUT)
