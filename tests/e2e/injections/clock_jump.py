"""Python's wall clock is ahead by the number of seconds in a file.

It covers `time.time` and `time.time_ns`, with which Python code reads the clock. C code, such as
that of `datetime.now`, reads the kernel's.
"""

import time
from pathlib import Path

OFFSET = Path("/tmp/clock-offset")

wall_clock = time.time


def offset_s():
    return float(OFFSET.read_text()) if OFFSET.exists() else 0.0


time.time = lambda: wall_clock() + offset_s()
time.time_ns = lambda: round(1e9 * time.time())
