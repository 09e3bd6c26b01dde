"""Images with ICC profiles of all kinds, converted in a process of their own.

As a program, it prints the cost of the costliest as JSON.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from hypothesis import HealthCheck, given
from PIL import Image

from dctnet.imaging.rgb import upright_rgb
from tests.support.decoding_cost import begin_peak, peak
from tests.support.fuzz import profiles
from tests.support.hypothesis_profiles import examples

TRIES = 300


@dataclass
class Worst:
    """The most that an image took, of time and of memory."""

    tries: int = 0
    cpu_s: float = 0.0
    peak_bytes: int = 0


def fuzz() -> Worst:
    """Convert an image of 64 x 64 pixels from all profiles."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
    images = {mode: Image.fromarray(noise, "CMYK").convert(mode) for mode in ("RGB", "L", "CMYK")}
    worst = Worst()

    @examples(TRIES, suppress_health_check=list(HealthCheck))
    @given(profiles())
    def convert(sample: tuple[str, bytes]) -> None:
        mode, profile = sample
        before, started = begin_peak(), time.thread_time()
        rgb = upright_rgb(images[mode], profile, 1)
        worst.cpu_s = max(worst.cpu_s, time.thread_time() - started)
        worst.peak_bytes = max(worst.peak_bytes, peak() - before)
        worst.tries += 1
        assert rgb.shape == (64, 64, 3)

    convert()
    return worst


if __name__ == "__main__":
    json.dump(asdict(fuzz()), sys.stdout)
