"""Worker process: as the arbiter sees it, and how it starts.

The arbiter imports neither NumPy nor Flask nor the runtimes. So it forks sooner, and the launcher
of codec processes starts on one CPU while the worker imports on another.
"""

import gc
from typing import Any

from gunicorn.workers.base import Worker as BaseWorker  # type: ignore[import-untyped]

from dctnet import malloc
from dctnet.codecs.launching import Launcher
from dctnet.server import core_dumps


class WorkerProcess(BaseWorker):  # type: ignore[misc]  # Gunicorn has no types.
    """Worker before the fork, which imports and runs the real one after it."""

    booted: bool

    def init_process(self) -> None:
        """Start the replica, import the server, and run until the process exits."""
        core_dumps.disable()
        malloc.limit_retained_memory()
        gc.disable()  # Imports create many objects, and no garbage to speak of.
        launcher = Launcher(heic=self.app.settings.heic)
        launcher.start()
        self.app.replica = self.app.make_replica(launcher)
        self.app.replica.start()
        worker = self._worker()
        try:
            worker.init_process()
        finally:
            # The arbiter does not restart a worker that fails before it serves.
            self.booted = worker.booted

    def _worker(self) -> Any:
        """Return the worker that runs in place of this one."""
        # While the model is loaded, mostly without the GIL.
        from dctnet.server.worker import Worker

        worker = Worker(
            self.age, self.ppid, self.sockets, self.app, self.timeout, self.cfg, self.log
        )
        worker.pid = self.pid
        worker.tmp.close()
        worker.tmp = self.tmp  # Heartbeat that the arbiter watches.
        return worker
