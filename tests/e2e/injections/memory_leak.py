"""The arbiter, process 1, takes memory without end once a file exists."""

import os
import threading
import time
from pathlib import Path

START = Path("/tmp/leak")


def leak():
    while not START.exists():
        time.sleep(0.1)
    START.unlink()  # The file would outlive the container.
    taken = []
    while True:
        taken.append(b"-" * 2**20)


if os.getpid() == 1:
    threading.Thread(target=leak, daemon=True).start()
