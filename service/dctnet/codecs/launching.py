"""The launcher as the server sees it: started once, and again if it ends."""

import os
import signal
import subprocess
import sys
from fcntl import F_DUPFD_CLOEXEC, fcntl
from itertools import count
from socket import socket
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from dctnet.codecs import messages
from dctnet.codecs.errors import CodecUnavailable
from dctnet.codecs.messages import Message

if TYPE_CHECKING:
    from dctnet.codecs.layout import Layout

START_TIMEOUT_S = 60.0
"""How long the launcher may take to start, in seconds: it may import from a cold disk."""

REPLY_TIMEOUT_S = 5.0
"""How long the launcher and a new codec process may take to answer, in seconds."""

FIRST_DESCRIPTOR = 3
"""The first file descriptor after the standard streams."""

_INHERITED = ("LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH")
"""Variables that the launcher inherits; others may hold secrets."""

HEIC = "heic"
"""Argument of a launcher whose processes decode HEIC."""

ENVIRONMENT = {
    # Each of OpenBLAS's threads would allocate memory, and none is used.
    "OPENBLAS_NUM_THREADS": "1",
    # As in the server: see dctnet.malloc.
    "MALLOC_MMAP_THRESHOLD_": str(128 * 1024),
    # A thread would reserve 64 MiB of address space for a heap of its own.
    "MALLOC_ARENA_MAX": "1",
}
"""Variables of the launcher, and so of the codec processes."""


class Launched(NamedTuple):
    """A codec process that was launched."""

    key: int
    """Names it to its launcher, and was never used before, unlike its ID."""
    pid: int
    sock: socket


class Launcher:
    """The process that forks codec processes. Thread-safe."""

    def __init__(self, *, heic: bool = False) -> None:
        """Nothing starts yet. With ``heic``, the processes decode HEIC too."""
        self._options = [HEIC] if heic else []
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket | None = None
        self._is_ready = False
        self._keys = count()

    def start(self) -> None:
        """Start the process, unless it is started, without waiting for its imports."""
        with self._lock:
            if self._process is None:
                self._start()

    def launch(self, memory: int, layout: "Layout") -> Launched:
        """Fork a codec process that shares this memory.

        Starts a new launcher if the last one has ended; raises CodecUnavailable.
        """
        ours, theirs = messages.pair()
        key = next(self._keys)
        limits = {"max_body_bytes": layout.max_body_bytes, "max_pixels": layout.max_pixels}
        request = {"key": key, **limits}
        with theirs, self._lock:
            reply = self._ask(request, [theirs.fileno(), memory])
            if reply is None:
                self._start()
                reply = self._ask(request, [theirs.fileno(), memory])
        if reply is None or "error" in reply:
            ours.close()
            reason = "its launcher does not answer" if reply is None else reply["error"]
            raise CodecUnavailable(f"A codec process could not be started: {reason}.")
        return Launched(key, reply["pid"], ours)

    def kill(self, key: int) -> int:
        """End a codec process and return its wait status.

        Without its launcher, the kernel has killed it.
        """
        with self._lock:
            reply = self._ask({"key": key}, [])
        return signal.SIGKILL if reply is None else reply["status"]

    def stop(self) -> None:
        """End the launcher, and with it the codec processes."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        self._control, theirs = messages.pair()
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with theirs:
            # Where a standard stream is closed, the socket may have its number.
            number = fcntl(theirs.fileno(), F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dctnet.codecs.launcher", str(number), *self._options],
                env=inherited | ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[number],
                process_group=0,  # Interrupts from the terminal are for the server.
            )
        finally:
            os.close(number)
        self._is_ready = False

    def _ask(self, request: Message, descriptors: list[int]) -> Message | None:
        """Return the reply, or None without a launcher: ends one that does not answer."""
        if self._control is None:
            return None
        try:
            if not self._is_ready:
                self._control.settimeout(START_TIMEOUT_S)
                messages.receive(self._control)
                self._is_ready = True
            self._control.settimeout(REPLY_TIMEOUT_S)
            messages.send(self._control, request, descriptors)
            return messages.receive(self._control)
        except (OSError, EOFError):
            self._stop()  # A late reply would be taken for that of the next request.
            return None

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()  # The kernel then kills its processes.
            self._process.wait()
            self._process = None
