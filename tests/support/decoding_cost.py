"""CPU time and peak memory of decoding images, measured in a child process.

As a program, it reads a pickled list of images from stdin, and decodes the first one to warm up.
"""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from dctnet.imaging import ImageError, decode
from tests.support.repo import ROOT

MAX_PIXELS = 10**8


class Cost(NamedTuple):
    """What decoding an image takes."""

    cpu_s: float
    peak_bytes: int
    """The peak of the resident memory, above what was resident before."""
    is_rejected: bool


def decoding_costs(*images: bytes) -> list[Cost]:
    """Return the cost of each image but the first, which warms up the decoders."""
    run = subprocess.run(
        [sys.executable, "-m", __name__],
        input=pickle.dumps(images),
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=ROOT,
    )
    return [Cost(*cost) for cost in pickle.loads(run.stdout)]


def measure(image: bytes) -> Cost:
    """Decode an image, or let it be rejected, and return what that took."""
    Path("/proc/self/clear_refs").write_text("5")  # The peak begins at what is resident now.
    before, started, is_rejected = peak(), time.process_time(), False
    try:
        decode(image, MAX_PIXELS)
    except ImageError:
        is_rejected = True
    return Cost(time.process_time() - started, peak() - before, is_rejected)


def peak() -> int:
    """Return the peak of the resident memory of this process, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    measured = [measure(image) for image in pickle.load(sys.stdin.buffer)]
    sys.stdout.buffer.write(pickle.dumps([tuple(cost) for cost in measured[1:]]))
