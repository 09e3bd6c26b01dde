"""Allowed difference between the cartoons of two runtimes."""

import numpy as np

from dctnet.arrays import Pixels

MAX_SHARE = 0.0002
"""Fraction of values that may differ by one level: both round, and the last cast truncates."""

STEEP_SHARE = 0.001
"""The same for the comic, whose generator is steep where one tone gives way to the next, and so
amplifies rounding errors: at most 0.057 % were measured, on noise. One value always may: it is more
of the smallest images."""


def require_equivalent(found: Pixels, expected: Pixels, max_share: float = MAX_SHARE) -> None:
    distance = np.abs(found.astype(int) - expected)
    assert np.max(distance) <= 1
    different = np.count_nonzero(distance)
    assert different <= max(1, max_share * distance.size), f"{different} of {distance.size} differ"
