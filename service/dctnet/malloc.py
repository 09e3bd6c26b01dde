"""glibc malloc settings: few arenas, and large blocks are returned to the system."""

import ctypes
from contextlib import suppress

# mallopt(3)
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

MAX_ARENAS = 2
"""glibc's default is eight per CPU. Fragmentation then costs half as much again as the bodies
that wait for slots."""

MMAP_THRESHOLD_BYTES = 128 * 1024
"""Blocks of at least this size go back to the system when freed. glibc's default, fixed here: it
would grow to 32 MiB, and each arena would keep its largest images."""


def limit_retained_memory() -> None:
    """Bound retained memory; call before threads start. Only affects glibc."""
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, MAX_ARENAS)
        mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
