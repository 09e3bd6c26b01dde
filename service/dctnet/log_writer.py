"""Non-blocking log writer: a bounded queue and a writer thread.

A log that is read slowly, or by no process, must not hold up a request, a probe or the arbiter.
Lines that find the queue full, or that the operating system denies, are dropped. They are counted,
and the log says how many were dropped once it can be written again.
"""

import io
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from select import PIPE_BUF, poll
from select import POLLOUT as WRITABLE
from threading import Event, RLock, Thread, local
from time import sleep

QUEUE_BYTES = 1024 * 1024
"""Bytes of lines in the queue: about 2,500 lines of the access log. Once it is full, lines are
dropped until half of it has been written, so that drops come in runs."""

FLUSH_TIMEOUT_S = 1.0
"""How long an exiting process waits for its last lines to be written, in seconds; part of
`GRACEFUL_MARGIN_S`."""

BATCH_INTERVAL_S = 0.01
"""How long a line waits for others that are written with it, in seconds."""


class LogWriter:
    """Writes lines to a file descriptor from its own thread. Thread-safe, fork-safe."""

    def __init__(self, descriptor: int | None, drop_notice: Callable[[int], str]) -> None:
        """``descriptor`` may be None, for closed; ``drop_notice`` reports a number."""
        self._descriptor = descriptor
        self._drop_notice = drop_notice
        self._reset()
        # A forked process has no writer thread, and its parent writes what is queued.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self.dropped = 0
        # Reentrant: a signal handler or a finalizer may log in the midst of `write`.
        self._lock = RLock()
        self._queue: SimpleQueue[bytes | Event] = SimpleQueue()
        self._queued_bytes = 0
        self._is_full = False
        self._unreported = 0
        self._is_torn = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread, if it does not run yet and the system has one to spare."""
        with self._lock:
            if self._thread is None and self._descriptor is not None:
                thread = Thread(target=self._run, name="log-writer", daemon=True)
                with suppress(RuntimeError):  # The next line tries again.
                    thread.start()
                    self._thread = thread

    def write(self, lines: bytes) -> None:
        """Queue one line or several that belong together; never blocks and never fails."""
        with self._lock:
            size = self._queued_bytes + len(lines)
            if self._descriptor is None:
                self.drop(lines.count(b"\n"))
            elif size > (QUEUE_BYTES // 2 if self._is_full else QUEUE_BYTES):
                self._is_full = True
                self.drop(lines.count(b"\n"))
            else:
                self._is_full = False
                self._queued_bytes = size
                self._queue.put(lines)
                if self._thread is None:
                    self.start()

    def flush(self, timeout: float) -> None:
        """Wait until all that is queued has been written, at most ``timeout`` seconds."""
        with self._lock:
            if self._queued_bytes:
                self.start()
            if self._thread is None:
                return
            written = Event()
            self._queue.put(written)
        written.wait(timeout)

    def drop(self, number: int) -> None:
        """Count lines that are not written."""
        with self._lock:
            self.dropped += number
            self._unreported += number

    def _run(self) -> None:
        # Signals are for the main thread, which would notice them late otherwise.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        item: bytes | Event | None = None
        while True:
            if item is None:
                item = self._queue.get()
                # To wake this thread costs more than to queue a line, so it is not done for each.
                sleep(BATCH_INTERVAL_S)
            if isinstance(item, Event):
                item.set()
                item = self._next()
                continue
            batch = [item]
            size = len(item)
            # Up to PIPE_BUF bytes are written to a pipe in one piece (POSIX), between the lines of
            # other processes that share it.
            while isinstance(item := self._next(), bytes) and size + len(item) <= PIPE_BUF:
                batch.append(item)
                size += len(item)
            self._write_batch(b"".join(batch))

    def _next(self) -> bytes | Event | None:
        try:
            return self._queue.get_nowait()
        except Empty:
            return None

    def _write_batch(self, lines: bytes) -> None:
        with self._lock:
            reported = 0 if self._is_full else self._unreported
        prefix = b"\n" if self._is_torn else b""
        if reported:
            prefix += (self._drop_notice(reported) + "\n").encode()
        written = self._write_all(prefix + lines)
        with self._lock:
            self._queued_bytes -= len(lines)
            if self._is_full and self._queued_bytes <= QUEUE_BYTES // 2:
                self._is_full = False
            if written >= len(prefix):
                self._unreported -= reported
            rejected = lines[max(0, written - len(prefix)) :]
            # A line that was written in part is dropped too, and the next one must not continue it.
            self.drop(rejected.count(b"\n"))
            if written:
                self._is_torn = bool(rejected) and (prefix + lines)[written - 1 : written] != b"\n"

    def _write_all(self, data: bytes) -> int:
        """Return how many bytes were written: fewer if the system denies them."""
        assert self._descriptor is not None
        written = 0
        while written < len(data):
            try:
                written += os.write(self._descriptor, data[written:])
            except BlockingIOError:
                # Another process made the shared descriptor non-blocking.
                waiting = poll()
                waiting.register(self._descriptor, WRITABLE)
                waiting.poll()
            except OSError:
                break
        return written


class LineStream(io.TextIOBase):
    """Text stream that passes on whole lines; replaces ``sys.stdout`` and ``stderr``."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, write_lines: Callable[[str], object], descriptor: int) -> None:
        """``write_lines`` takes one line or several, each with its end."""
        self._write_lines = write_lines
        self._descriptor = descriptor
        self._partial = local()

    def writable(self) -> bool:
        """Return True: it can be written, whatever becomes of the lines."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the process that the stream stands for."""
        return self._descriptor

    def write(self, text: str) -> int:
        """Pass on the whole lines of a text; keep the rest until its thread ends the line."""
        before = getattr(self._partial, "text", "")
        lines, newline, rest = (before + text).rpartition("\n")
        if before or rest:
            self._partial.text = rest
        if newline:
            self._write_lines(lines + newline)
        return len(text)

    def flush(self) -> None:
        """Do nothing: the writer thread needs no reminder, and no caller may wait for it."""
