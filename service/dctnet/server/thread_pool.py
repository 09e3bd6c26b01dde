"""A thread pool that survives a system without room for more threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

RESERVED_THREADS = 16
"""Threads that are started with the pool, so that requests are served where no more can be had."""


class ReservedThreadPool(ThreadPoolExecutor):
    """Starts some threads at once and the others when they are needed."""

    def __init__(self, max_workers: int, on_shortage: Callable[[], object]) -> None:
        """``on_shortage`` is called each time that the system denies a thread.

        Raises RuntimeError where not even one thread can be started.
        """
        super().__init__(max_workers, thread_name_prefix="request")
        self._on_shortage = on_shortage
        for _ in range(min(RESERVED_THREADS, max_workers)):
            self._adjust_thread_count()

    def _adjust_thread_count(self) -> None:
        """Start a thread if none is idle; the jobs wait for the others where that fails."""
        try:
            super()._adjust_thread_count()
        except RuntimeError:  # "can't start new thread"
            if not self._threads:
                raise
            self._on_shortage()
