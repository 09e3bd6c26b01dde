"""CPU time and peak memory of decoding images, measured in a child process.

As a program, it reads a pickled list of images from stdin, and decodes the first one to warm up.
"""

import os
import pickle
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dctnet.imaging import PictureError, decode

MAX_PIXELS = 10**8


class Cost(NamedTuple):
    """What decoding an image takes."""

    cpu_s: float
    peak_bytes: int
    """By how much the peak of the resident memory grew over that of all images before."""


def decoding_costs(*images: bytes) -> list[Cost]:
    """Return the cost of each image but the first, which warms up the decoders."""
    # A process starts with the peak of the one that it replaces: here, of a small shell.
    run = subprocess.run(
        ["sh", "-c", '"$0" "$@"; exit "$?"', sys.executable, "-m", __name__],
        input=pickle.dumps(images),
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
    )
    return [Cost(*cost) for cost in pickle.loads(run.stdout)]


def measure(image: bytes) -> Cost:
    """Decode an image, or let it be rejected, and return what that took."""
    peak, started = _peak(), time.process_time()
    with suppress(PictureError):
        decode(image, MAX_PIXELS)
    return Cost(time.process_time() - started, _peak() - peak)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    measured = [measure(image) for image in pickle.load(sys.stdin.buffer)]
    sys.stdout.buffer.write(pickle.dumps([tuple(cost) for cost in measured[1:]]))
