"""Thread pool in a thread shortage."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dctnet.server.thread_pool import RESERVED_THREADS, ReservedThreadPool

LARGE_POOL = 100


@contextmanager
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def reject(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", reject)
        yield


def test_reserved_threads_start_with_the_pool():
    before = threading.active_count()
    with ReservedThreadPool(LARGE_POOL, lambda: None):
        assert threading.active_count() - before == RESERVED_THREADS
    with ReservedThreadPool(3, lambda: None):
        assert threading.active_count() - before == 3


def test_jobs_wait_when_no_thread_can_be_started(monkeypatch):
    shortages: list[int] = []
    go_on = threading.Event()
    with ReservedThreadPool(LARGE_POOL, lambda: shortages.append(1)) as pool:
        blocked = [pool.submit(go_on.wait, 60) for _ in range(RESERVED_THREADS)]
        with no_more_threads(monkeypatch):
            waiting = pool.submit(lambda: "served")
        assert len(shortages) == 1
        assert not waiting.done()
        go_on.set()
        assert waiting.result(60) == "served"
        assert all(job.result(60) for job in blocked)


def test_pool_without_any_thread_is_an_error(monkeypatch):
    with no_more_threads(monkeypatch), pytest.raises(RuntimeError, match="can't start new thread"):
        ReservedThreadPool(LARGE_POOL, lambda: None)
