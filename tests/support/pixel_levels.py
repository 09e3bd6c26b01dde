"""How far an image of one runtime may be from another's."""

import numpy as np

from dctnet.arrays import Pixels

MAX_SHARE = 0.0002
"""How many of the values may be one level off: both round, and the last cast cuts off."""


def require_equivalent(found: Pixels, expected: Pixels) -> None:
    distance = np.abs(found.astype(int) - expected)
    assert np.max(distance) <= 1
    share = np.mean(distance > 0)
    assert share < MAX_SHARE, f"{share:.3%} of the values differ"
