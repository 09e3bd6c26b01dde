"""glibc's allocator, told to share few arenas among all threads, and to keep no images."""

import ctypes
from contextlib import suppress

# mallopt(3)
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

MAX_ARENAS = 2
"""By default glibc keeps eight a CPU, each with holes of its own: the bodies that wait for
their slots then take up half as much again as they have bytes."""

MMAP_THRESHOLD_BYTES = 128 * 1024
"""From so many bytes on, memory goes back to the system when it is freed. It is glibc's default,
which otherwise grows to 32 MiB with what is freed: each arena would keep its largest images."""


def limit_retained_memory() -> None:
    """Bound what is kept, before the threads are started; other C libraries have no such bounds."""
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, MAX_ARENAS)
        mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
