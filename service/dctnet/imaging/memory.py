"""Out-of-memory errors, distinguished from damaged images and defects."""

import mmap

import cv2


def is_out_of_memory(error: Exception, needed_bytes: int) -> bool:
    """Return whether an error comes from a failed allocation, or may do so.

    libjpeg, libwebp and libavif report a failed allocation as they report damaged data, so that
    only an attempt to reserve as much shows it.

    Args:
        error: What a step raised.
        needed_bytes: The most memory that the step takes.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
        return True
    return not _can_reserve(needed_bytes)


def _can_reserve(needed_bytes: int) -> bool:
    """Return whether this much address space is available; none of it is touched."""
    try:
        mmap.mmap(-1, needed_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return False
    return True
