"""Memory limit for a command: a cgroup if one can be created, else RLIMIT_DATA."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests.support.polling import until

ROOT = Path("/sys/fs/cgroup")

THREAD_STACK_BYTES = 8 * 1024 * 1024
"""Bytes that RLIMIT_DATA counts per thread, most of them never touched."""


ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Environment of a process whose address space a test limits. OpenBLAS allocates 128 MiB when one
of its threads first runs, perhaps after the limit is set, and crashes if it cannot."""


class Cgroup:
    """A memory cgroup of version 1 or 2."""

    def __init__(self, folder: Path, version: int, limit: int) -> None:
        self._folder, self._version = folder, version
        name = "memory.limit_in_bytes" if version == 1 else "memory.max"
        (folder / name).write_text(str(limit))

    def command(self, command: list[str | Path]) -> list[str | Path]:
        """Return the command that runs this one within the limit."""
        script = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        return ["sh", "-c", script, self._folder, *command]

    def oom_kills(self) -> int:
        """Return how many processes were killed for memory."""
        name = "memory.oom_control" if self._version == 1 else "memory.events"
        lines = (self._folder / name).read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])

    def peak(self) -> int | None:
        """Return the peak memory in bytes, if it is known."""
        name = "memory.max_usage_in_bytes" if self._version == 1 else "memory.peak"
        file = self._folder / name  # Version 2 has none before Linux 5.19.
        return int(file.read_text()) if file.exists() else None


class DataLimit:
    """RLIMIT_DATA: bounds allocations, touched or not; kills no process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def command(self, command: list[str | Path]) -> list[str | Path]:
        return ["sh", "-c", f'ulimit -d {self._limit // 1024} && exec "$@"', "sh", *command]

    def oom_kills(self) -> int:
        return 0

    def peak(self) -> int | None:
        return None


def cgroup_parent() -> tuple[Path, int] | None:
    """Return a folder in which a memory cgroup can be created, and its version."""
    for version, mount in (1, ROOT / "memory"), (2, ROOT):
        for parent in (mount / own.lstrip("/") for own in (*_own_cgroups(version), "")):
            folder = parent / f"dctnet-{uuid4().hex}"
            try:
                folder.mkdir()
            except OSError:
                continue
            limited = (folder / "memory.limit_in_bytes", folder / "memory.max")[version - 1]
            fits = limited.exists()
            folder.rmdir()
            if fits:
                return parent, version
    return None


def _own_cgroups(version: int) -> Iterator[str]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == ("memory" if version == 1 else ""):
            yield path


PARENT = cgroup_parent()
KIND = "RLIMIT_DATA" if PARENT is None else f"cgroup v{PARENT[1]}"
"""What limits memory on this machine."""


@contextmanager
def confined(limit: int, threads: int) -> Iterator[Cgroup | DataLimit]:
    """Limit a command to these bytes; `threads` is how many it may have at most."""
    if PARENT is None:
        yield DataLimit(limit + threads * THREAD_STACK_BYTES)
        return
    parent, version = PARENT
    folder = parent / f"dctnet-{uuid4().hex}"
    folder.mkdir()
    try:
        yield Cgroup(folder, version, limit)
    finally:
        # Its last process may still be exiting.
        until(lambda: not (folder / "cgroup.procs").read_text(), f"{folder} is in use")
        folder.rmdir()
