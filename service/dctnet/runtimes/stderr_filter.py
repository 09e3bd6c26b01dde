"""TensorFlow's start without its chatter on standard error.

Its libraries write of oneDNN and CUDA as they are loaded, before any setting can silence them.
Run as a program this module is the sieve: it copies its standard input to its standard error, but
for the chatter.
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
"""How long the sieve's last lines may take to be written, in seconds; then they are lost."""

# The form of these lines is that of Abseil's log: severity, month and day, time, thread, source.
_SUPPRESSED = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|I\d{4} [\d:.]+ +\d+ \w+\.cc:\d+\]"
    rb"|[WE]\d{4} [\d:.]+ +\d+ cuda_\w+\.cc:\d+\]"  # There may be no GPU, and none is needed.
)

_lock = Lock()


@contextmanager
def filtered_stderr() -> Iterator[None]:
    """Drop the lines of TensorFlow's chatter that the process writes to file descriptor 2.

    All other lines reach it, from whichever thread, a line at a time. Of several threads that
    enter, one is inside.
    """
    # A process reads them, not a thread: on a CPU that TensorFlow was not built for it says
    # so and aborts, and those last words must still come out.
    command = [sys.executable, "-I", "-S", __file__]
    with (
        _lock,
        # In a session of its own, so that Ctrl-C ends it with this process and not before.
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
                process.kill()  # No process reads standard error.


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        if not _SUPPRESSED.match(line):
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
