"""Non-blocking standard output and error: a bounded queue and a writer thread for each.

A log that is read slowly, or by no process, must not hold up a request, a probe or the arbiter.
After `start` all that Python code writes to `sys.stdout` and `sys.stderr` goes through the queues:
the request log, messages, loggers, warnings and tracebacks. Lines that find a queue full, or that
the operating system denies, are lost. They are counted, and the stream says how many were lost
once it can be written again.
"""

import atexit
import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from select import PIPE_BUF, poll
from select import POLLOUT as WRITABLE
from threading import Event, RLock, Thread, local
from time import monotonic, sleep

QUEUE_BYTES = 1024 * 1024
"""Bytes of lines that wait for one stream: about 3,000 lines of the request log. Once it is full,
lines are lost until half of it has been written, so that losses come in runs."""

FLUSH_TIMEOUT_S = 1.0
"""How long the end of a process waits for its last lines to be written, in seconds; it is part of
the margin in which a replica ends."""

BATCH_INTERVAL_S = 0.01
"""How long a line waits for others that are written with it, in seconds."""

_STDERR = 2


class LogWriter:
    """Writes lines to one file descriptor from a thread of its own. Thread-safe, fork-safe."""

    def __init__(self, descriptor: int | None, loss_notice: Callable[[int], str]) -> None:
        """Take the descriptor, None for a closed stream, and what words a number of lost lines."""
        self._descriptor = descriptor
        self._loss_notice = loss_notice
        self._reset()
        # A forked process has no writer thread, and its parent writes what is queued.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self.lost = 0
        # Reentrant: a signal handler or a finalizer may log in the midst of `write`.
        self._lock = RLock()
        self._queue: SimpleQueue[bytes | Event] = SimpleQueue()
        self._queued_bytes = 0
        self._is_full = False
        self._unannounced = 0
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
                self._lose(lines)
            elif size > (QUEUE_BYTES // 2 if self._is_full else QUEUE_BYTES):
                self._is_full = True
                self._lose(lines)
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

    def _lose(self, lines: bytes) -> None:
        number = lines.count(b"\n")
        with self._lock:
            self.lost += number
            self._unannounced += number

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
            announced = 0 if self._is_full else self._unannounced
        prefix = b"\n" if self._is_torn else b""
        if announced:
            prefix += (self._loss_notice(announced) + "\n").encode()
        written = self._write_all(prefix + lines)
        with self._lock:
            self._queued_bytes -= len(lines)
            if self._is_full and self._queued_bytes <= QUEUE_BYTES // 2:
                self._is_full = False
            if written >= len(prefix):
                self._unannounced -= announced
            rejected = lines[max(0, written - len(prefix)) :]
            # A line that was written in part is lost too, and the next one must not continue it.
            self._lose(rejected)
            if written:
                self._is_torn = bool(rejected) and (prefix + lines)[written - 1 : written] != b"\n"

    def _write_all(self, data: bytes) -> int:
        """Return how many bytes were written: fewer than there are if the system denies them."""
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
    """A text stream in front of a `LogWriter`, which gets whole lines."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, writer: LogWriter, descriptor: int) -> None:
        self._writer = writer
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
        if newline:
            self._writer.write((lines + newline).encode(self.encoding, self.errors))
        if before or rest:
            self._partial.text = rest
        return len(text)

    def flush(self) -> None:
        """Do nothing: the writer thread needs no reminder, and nothing may wait for it."""


_writers: dict[str, LogWriter] = {}


def start() -> None:
    """Send what the process writes to its standard streams through log writers, from now on.

    Call it before other files are opened: a standard stream that is closed is replaced by
    /dev/null here, so that no socket gets its number and receives the log.
    """
    if _writers:
        return
    is_open = {"stdout": sys.stdout is not None, "stderr": sys.stderr is not None}
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    for number, (name, notice) in enumerate(
        (("stdout", _json_notice), ("stderr", _text_notice)), start=1
    ):
        # A copy, since descriptor 2 may lead elsewhere for a while: runtimes/stderr_filter.py.
        writer = LogWriter(os.dup(number) if is_open[name] else None, notice)
        _writers[name] = writer
        setattr(sys, name, LineStream(writer, number))
    atexit.register(flush)


def start_threads() -> None:
    """Start the writer threads of this process; they start by themselves at the first line."""
    for writer in _writers.values():
        writer.start()


def flush() -> None:
    """Wait for the last lines of both streams, `FLUSH_TIMEOUT_S` at most."""
    deadline = monotonic() + FLUSH_TIMEOUT_S
    for writer in _writers.values():
        writer.flush(max(0.0, deadline - monotonic()))


def lost_lines() -> dict[str, int]:
    """Return how many lines of each stream this process has lost."""
    return {name: _writers[name].lost if name in _writers else 0 for name in ("stdout", "stderr")}


def _json_notice(number: int) -> str:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return f'{{"time": "{time}", "log_lines_lost": {number}}}'


def _text_notice(number: int) -> str:
    return f"dctnet: log lines lost: {number}"
