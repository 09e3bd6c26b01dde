"""Detection of out-of-memory errors."""

import mmap

import cv2


def is_out_of_memory(error: Exception, needed_bytes: int) -> bool:
    """Return whether an error comes, or may come, from a failed allocation.

    libjpeg, libwebp and libavif report failed allocations like damaged data. Only an attempt to
    reserve the memory shows the difference.

    Args:
        error: Error that a step raised.
        needed_bytes: Upper bound of the memory that the step takes.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
        return True
    return not can_reserve(needed_bytes)


def can_reserve(needed_bytes: int) -> bool:
    """Return whether this much address space is available, without touching it."""
    try:
        mmap.mmap(-1, needed_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return False
    return True
