"""An object in a process of its own, so that what it shares with nobody can be measured."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any


@dataclass(frozen=True)
class IsolatedObject:
    """The object, from here."""

    process: BaseProcess
    _pipe: Connection

    def __call__(self, method: str, *arguments: Any) -> Any:
        """Call a method of it, and wait for the answer; raise EOFError where its process ended."""
        self._pipe.send((method, arguments))
        return self._pipe.recv()


@contextmanager
def spawn_object(
    make: Callable[..., Any], *arguments: Any, environment: Mapping[str, str] | None = None
) -> Iterator[IsolatedObject]:
    """Make an object in a new process, with variables beyond ours; end the process at last.

    Raises EOFError where it cannot be made.
    """
    context = multiprocessing.get_context("spawn")
    local, remote = context.Pipe()
    process = context.Process(target=_serve, args=(remote, make, arguments), daemon=True)
    before = dict(os.environ)
    os.environ.update(environment or {})
    try:
        process.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    remote.close()
    try:
        local.recv()  # One at a time, so that the time of making it is its own.
        yield IsolatedObject(process, local)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    instance = make(*arguments)
    pipe.send(None)
    while True:
        method, values = pipe.recv()
        pipe.send(getattr(instance, method)(*values))
