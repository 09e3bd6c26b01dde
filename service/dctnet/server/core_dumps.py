"""Core dumps are disabled: the memory of a crashed worker holds images."""

import resource

_TOO_SMALL = 1
"""Bytes: below any dump's size, and the only limit at which the kernel pipes no dump into a program
either (Linux, fs/coredump.c)."""


def disable() -> None:
    """Disable core dumps of this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = _TOO_SMALL if hard == resource.RLIM_INFINITY else min(hard, _TOO_SMALL)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
