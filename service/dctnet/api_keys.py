"""The API keys that clients may show: read from a file, and again when it changes.

A mounted Secret changes by the swap of a symbolic link, so what is looked at is the file that the
path leads to. Only digests are kept: no key can get into a message or a log.
"""

import os
import re
import stat
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from threading import Lock
from time import monotonic

from dctnet.config import KIB, SettingsError
from dctnet.messages import say

MIN_LENGTH = 16
"""Characters of a key; a shorter one could be found by trying."""

MAX_LENGTH = 256
"""Characters of a key; all headers of a request have to fit into some kilobytes."""

MAX_FILE_BYTES = 64 * KIB
"""Room for 250 of the longest keys; each request is compared with all of them."""

POLL_INTERVAL_S = 1.0
"""How often the file is looked at, at most, in seconds."""

_KEY = re.compile(rb"[!-~]{%d,%d}" % (MIN_LENGTH, MAX_LENGTH))

_Version = tuple[int, ...]
"""Tells a file's content from what was there before, without reading it."""


class ApiKeys:
    """The keys of a file. Thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], float] = monotonic) -> None:
        """Read the file; raise SettingsError where it cannot be read or has anything but keys."""
        self._path = path
        self._clock = clock
        self._poll_lock = Lock()
        self._next_poll = clock() + POLL_INTERVAL_S
        self._version, self._digests = _read(path)
        self._last_error: tuple[_Version | None, str] | None = None

    def __len__(self) -> int:
        return len(self._digests)

    def accept(self, key: str) -> bool:
        """Say whether it is one of the keys."""
        self._poll()
        digest = sha256(key.encode()).digest()
        # All are compared, however early one fits: the time that it takes tells nothing.
        return sum(compare_digest(digest, known) for known in self._digests) > 0

    def _poll(self) -> None:
        """Read the file again if it has changed; while one request does, others do not wait."""
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
                say(f"the API keys stay as they were: {error}")
            self._last_error = current_error
        else:
            self._last_error = None
            say(f"the API keys were read again; there are {len(self)}")


def _read(path: Path) -> tuple[_Version, tuple[bytes, ...]]:
    """Return the file's version and the digests of its keys; raise SettingsError."""

    def settings_error(reason: str) -> SettingsError:
        return SettingsError(f"DCTNET_API_KEYS_FILE is {str(path)!r}, but {reason}.")

    try:
        if not stat.S_ISREG(path.stat().st_mode):  # A pipe would be waited for.
            raise settings_error("that is no regular file")
        with path.open("rb") as file:
            version = _version(os.fstat(file.fileno()))
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise settings_error(f"that cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise settings_error(f"that has more than {MAX_FILE_BYTES} bytes")
    digests = []
    for number, line in enumerate(data.splitlines(), 1):
        key = line.strip()
        if not key or key.startswith(b"#"):
            continue
        if not _KEY.fullmatch(key):
            raise settings_error(
                f"line {number} of it is no key, which is {MIN_LENGTH} to {MAX_LENGTH} printable"
                " ASCII characters without a space"
            )
        digests.append(sha256(key).digest())
    if not digests:
        raise settings_error("there is no key in it")
    return version, tuple(digests)


def _current_version(path: Path) -> _Version | None:
    """Return the version of the file that is there now, None where there is none."""
    try:
        return _version(path.stat())
    except OSError:
        return None


def _version(status: os.stat_result) -> _Version:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
