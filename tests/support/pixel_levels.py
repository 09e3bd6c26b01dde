"""Allowed difference between the cartoons of two runtimes."""

import numpy as np

from dctnet.arrays import Pixels

MAX_SHARE = 0.0002
"""Fraction of values that may differ by one level: both round, and the last cast truncates."""


def require_equivalent(found: Pixels, expected: Pixels) -> None:
    distance = np.abs(found.astype(int) - expected)
    assert np.max(distance) <= 1
    share = np.mean(distance > 0)
    assert share < MAX_SHARE, f"{share:.3%} of the values differ"
