"""Images are in memory alone, so this process's memory goes into no file when it crashes."""

import resource

_TOO_SMALL = 1
"""Bytes: less than any dump has, and the one limit at which the kernel does not pipe a dump into a
program either (Linux, fs/coredump.c)."""


def disable() -> None:
    """Let the kernel write no core dump of this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = _TOO_SMALL if hard == resource.RLIM_INFINITY else min(hard, _TOO_SMALL)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
