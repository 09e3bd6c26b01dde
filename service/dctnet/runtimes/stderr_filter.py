"""Filter for TensorFlow's start-up messages on standard error.

The libraries log about oneDNN and CUDA while they load, before any setting can stop them. Run as a
program, this module is the filter process: it copies standard input to standard error, without
these lines.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_STDERR = 2

FLUSH_TIMEOUT_S = 1.0
"""Seconds that the filter process may take to write its last lines; then they are lost."""

# Format of Abseil's log: severity, month and day, time, thread, source.
_SUPPRESSED = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|I\d{4} [\d:.]+ +\d+ \w+\.cc:\d+\]"
    rb"|[WE]\d{4} [\d:.]+ +\d+ cuda_\w+\.cc:\d+\]"  # No GPU is needed.
)

_lock = Lock()


@contextmanager
def filtered_stderr() -> Iterator[None]:
    """Drop TensorFlow's start-up messages that the process writes to file descriptor 2.

    Other lines pass, line by line, from any thread. Only one thread at a time may be inside.
    """
    # A process, not a thread: on an unsupported CPU TensorFlow logs the reason and aborts, and that
    # line must still be written.
    command = [sys.executable, "-I", "-S", __file__]
    with (
        _lock,
        # In its own session, so that Ctrl-C does not stop it before this process.
        subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process,
    ):
        assert process.stdin is not None
        original = os.dup(_STDERR)
        os.dup2(process.stdin.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(original, _STDERR)
            os.close(original)
            process.stdin.close()
            try:
                process.wait(FLUSH_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()  # Standard error is blocked.


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        if not _SUPPRESSED.match(line):
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
