"""Objects in isolated processes, for measurements without interference."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any


@dataclass(frozen=True)
class IsolatedObject:
    """Handle of an object in another process."""

    process: BaseProcess
    _pipe: Connection

    def __call__(self, method: str, *arguments: Any) -> Any:
        """Call a method and return its result; raise EOFError if the process has exited."""
        self._pipe.send((method, arguments))
        return self._pipe.recv()


@contextmanager
def spawn_object(
    make: Callable[..., Any],
    *arguments: Any,
    environment: Mapping[str, str] | None = None,
    paths: Sequence[str] = (),
) -> Iterator[IsolatedObject]:
    """Create an object in a new process with extra environment variables.

    The process imports modules, that of `make` included, from `paths` first. It is terminated at
    exit. Raises EOFError if the object cannot be created.
    """
    context = multiprocessing.get_context("spawn")
    local, remote = context.Pipe()
    process = context.Process(target=_serve, args=(remote, make, arguments), daemon=True)
    before = dict(os.environ)
    os.environ.update(environment or {})
    sys.path[:0] = paths
    try:
        process.start()
    finally:
        del sys.path[: len(paths)]
        os.environ.clear()
        os.environ.update(before)
    remote.close()
    try:
        local.recv()  # Objects are created one at a time, so that load times do not overlap.
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
