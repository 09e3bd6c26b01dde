"""API keys: read from a file, and reloaded when it changes.

Kubernetes updates a mounted Secret by swapping a symbolic link, so the poll follows links. Only
digests are kept in memory, so that no key can get into a message or a log.
"""

import logging
import os
import re
import stat
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from threading import Lock
from time import monotonic

from dctnet.config import SettingsError
from dctnet.units import KIB

logger = logging.getLogger(__name__)

MIN_LENGTH = 16
"""Least characters of a key; a shorter one could be guessed."""

MAX_LENGTH = 256
"""Most characters of a key; the size of request headers is limited."""

MAX_FILE_BYTES = 64 * KIB
"""File size limit: 250 keys of maximum length; each request checks all keys."""

POLL_INTERVAL_S = 1.0
"""Poll interval of the file, in seconds."""

_KEY = re.compile(rb"[!-~]{%d,%d}" % (MIN_LENGTH, MAX_LENGTH))

_Version = tuple[int, ...]
"""Identifies a version of the file: device, inode, modification time and size."""


class ApiKeys:
    """Set of API keys from a file. Thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], float] = monotonic) -> None:
        """Read the file; raise SettingsError if it is unreadable or invalid."""
        self._path = path
        self._clock = clock
        self._poll_lock = Lock()
        self._next_poll = clock() + POLL_INTERVAL_S
        self._version, self._digests = _read(path)
        self._last_error: tuple[_Version | None, str] | None = None

    def __len__(self) -> int:
        return len(self._digests)

    def accept(self, key: str) -> bool:
        """Return whether the key is valid."""
        self._poll()
        digest = sha256(key.encode()).digest()
        # Compares all digests, so that the duration does not depend on which one matches.
        return sum(compare_digest(digest, known) for known in self._digests) > 0

    def _poll(self) -> None:
        """Reload the file if it has changed; other requests do not wait for it."""
        now = self._clock()
        if now < self._next_poll or not self._poll_lock.acquire(blocking=False):
            return
        try:
            self._next_poll = now + POLL_INTERVAL_S
            self._refresh()
        finally:
            self._poll_lock.release()

    def _refresh(self) -> None:
        version = _current_version(self._path)
        if version == self._version:
            self._last_error = None
            return
        try:
            self._version, self._digests = _read(self._path)
        except SettingsError as error:
            current_error = (version, str(error))
            if current_error != self._last_error:
                logger.error("the API keys are not reloaded: %s", error)
            self._last_error = current_error
        else:
            self._last_error = None
            logger.info("the API keys were reloaded; there are %d", len(self))


def _read(path: Path) -> tuple[_Version, tuple[bytes, ...]]:
    """Return the file's version and the digests of its keys; raise SettingsError."""

    def settings_error(reason: str) -> SettingsError:
        return SettingsError(f"DCTNET_API_KEYS_FILE is {str(path)!r}, but {reason}.")

    try:
        if not stat.S_ISREG(path.stat().st_mode):  # Opening a pipe would block.
            raise settings_error("it is not a regular file")
        with path.open("rb") as file:
            version = _version(os.fstat(file.fileno()))
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise settings_error(f"it cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise settings_error(f"it has more than {MAX_FILE_BYTES} bytes")
    digests = []
    for number, line in enumerate(data.splitlines(), 1):
        key = line.strip()
        if not key or key.startswith(b"#"):
            continue
        if not _KEY.fullmatch(key):
            raise settings_error(
                f"line {number} is not a key of {MIN_LENGTH} to {MAX_LENGTH} printable ASCII"
                " characters without spaces"
            )
        digests.append(sha256(key).digest())
    if not digests:
        raise settings_error("it contains no key")
    return version, tuple(digests)


def _current_version(path: Path) -> _Version | None:
    """Return the current version of the file, None if there is no file."""
    try:
        return _version(path.stat())
    except OSError:
        return None


def _version(status: os.stat_result) -> _Version:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
