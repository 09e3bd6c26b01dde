"""glibc's allocator, told to share few arenas among all threads."""

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8  # mallopt(3)

ARENAS = 2
"""By default glibc keeps eight a processor, each with holes of its own: the bodies that wait for
their slots then take up half as much again as they have bytes."""


def share_arenas() -> None:
    """Bound the arenas, before the threads are started; other C libraries have none."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)
