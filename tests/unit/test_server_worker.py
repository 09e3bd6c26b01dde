"""Worker overrides of Gunicorn methods: version and sources are pinned."""

import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.base import Worker as BaseWorker
from gunicorn.workers.gthread import TConn, ThreadWorker

from dctnet.lifecycle.heartbeat import Heartbeat
from dctnet.server.read_timeouts import TimedUnreader
from dctnet.server.worker import ACCEPT_PAUSE_S, Worker

WRITTEN_FOR = "27.0.1"
READ_AGAIN = (
    "Gunicorn has changed a method that the worker overrides or relies on: read it, adapt "
    "dctnet/server/worker.py, and put the new sum here."
)
SUMS = {
    BaseWorker.handle_error: "75426448389bbac9",
    BaseWorker.handle_quit: "2944b41327615dc6",
    BaseWorker.init_process: "114caccd7a0e3c21",
    BaseWorker.init_signals: "65442e0602b05f37",
    BaseWorker.load_wsgi: "18b02fc35e964f2b",
    SocketUnreader.chunk: "9f62532259f8468e",
    TConn.__init__: "c8763d7c65974e1b",
    TConn.close: "6d1c334ed1979fcb",
    TConn.init: "5ff3d4ba451cfdf3",
    ThreadWorker.accept: "f8dcead3dce5c851",
    ThreadWorker.enqueue_req: "c9f428953d24acef",
    ThreadWorker.finish_request: "616e7bb15a009ff7",
    ThreadWorker.get_thread_pool: "003f3549a71b6d34",
    ThreadWorker.handle: "ca85c9be3df75da4",
    ThreadWorker.handle_exit: "b4e7decd4f9203ac",
    ThreadWorker.handle_quit: "36bd35a8dae5d2b5",
    ThreadWorker.handle_request: "6d0de5b919102efc",
    ThreadWorker.murder_pending: "7bf11f46454296e1",
    ThreadWorker.on_pending_socket_readable: "2475f7087832c086",
    ThreadWorker.run: "f92c7394d85715a4",
    ThreadWorker.set_accept_enabled: "140150ebfd3cae34",
    ThreadWorker.wait_for_and_dispatch_events: "ea969b352482bd5c",
}


def text_sum(method: Callable[..., Any]) -> str:
    return hashlib.sha256(inspect.getsource(method).encode()).hexdigest()[:16]


def test_gunicorn_version_is_pinned():
    assert version("gunicorn") == WRITTEN_FOR, READ_AGAIN


@pytest.mark.parametrize("method", SUMS, ids=lambda method: method.__qualname__)
def test_overridden_gunicorn_methods_are_unchanged(method):
    assert text_sum(method) == SUMS[method], READ_AGAIN


@pytest.mark.parametrize(
    ("ours", "base"), [(Worker, ThreadWorker), (TimedUnreader, SocketUnreader)]
)
def test_every_overridden_method_is_pinned(ours, base):
    pinned = {method.__name__ for method in SUMS}
    overridden = {name for name in vars(ours) if callable(getattr(base, name, None))}
    assert overridden - {"__init__"} <= pinned


def test_event_loop_out_of_memory_only_pauses_accepting(monkeypatch):
    def run_out(worker: Worker, timeout: float) -> None:
        raise MemoryError

    counted: list[str] = []
    worker = object.__new__(Worker)
    worker.alive, worker._accepting = True, False
    worker.nr_conns, worker.worker_connections = 0, 1
    worker._sending, worker._lingering = {}, {}
    replica = SimpleNamespace(accept_loop=Heartbeat())
    monkeypatch.setattr(Worker, "replica", replica)
    monkeypatch.setattr(Worker, "_count_shortage", lambda _, resource: counted.append(resource))
    monkeypatch.setattr(ThreadWorker, "wait_for_and_dispatch_events", run_out)
    before = monotonic()
    worker.wait_for_and_dispatch_events(0.0)
    assert counted == ["memory"]
    assert worker._accept_resumes_at >= before + ACCEPT_PAUSE_S
