"""Thread pool with reserved threads: survives a shortage of threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

RESERVED_THREADS = 16
"""Threads that start with the pool, so that requests are served in a thread shortage."""


class ReservedThreadPool(ThreadPoolExecutor):
    """Starts some threads at once and the others on demand."""

    def __init__(self, max_workers: int, on_shortage: Callable[[], object]) -> None:
        """``on_shortage`` is called each time that the system denies a thread.

        Raises RuntimeError if not even one thread can be started.
        """
        super().__init__(max_workers, thread_name_prefix="request")
        self._on_shortage = on_shortage
        for _ in range(min(RESERVED_THREADS, max_workers)):
            self._adjust_thread_count()

    def _adjust_thread_count(self) -> None:
        """Start a thread if none is idle; if that fails, jobs wait for the others."""
        try:
            super()._adjust_thread_count()
        except RuntimeError:  # "can't start new thread"
            if not self._threads:
                raise
            self._on_shortage()
