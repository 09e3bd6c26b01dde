"""Failures in codec processes."""

from enum import StrEnum


class FailureReason(StrEnum):
    """Why an image failed in a codec process, other than by its contents."""

    CRASH = "crash"
    """A library crashed."""
    CPU = "cpu"
    """The image took more CPU time than any of its size should."""
    TIMEOUT = "timeout"
    """The image took more than its share of the deadline, or the process was stopped."""
    KILLED = "killed"
    """The process was killed, mostly by the kernel for lack of memory."""
    UNAVAILABLE = "unavailable"
    """The last process had ended, and no other could be started, or each ended at once."""


class CodecTimeout(Exception):
    """An image took more than its share of the deadline to decode or encode."""


class CodecKilled(MemoryError):
    """A process was killed while it worked on an image, mostly for lack of memory."""


class CodecUnavailable(MemoryError):
    """No codec process could be started, for lack of memory, processes or files."""
