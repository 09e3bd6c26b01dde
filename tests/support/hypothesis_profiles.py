"""Hypothesis profiles: `small`, the same in every run, and `large`, 20 times as many at random.

`HYPOTHESIS_PROFILE=large` or pytest's `--hypothesis-profile=large` chooses the large one.
"""

import os
from typing import Any

from hypothesis import HealthCheck, settings

SMALL, LARGE = 100, 2000
"""Examples of a test that names no number."""

settings.register_profile(
    "small", derandomize=True, database=None, deadline=None, max_examples=SMALL
)
settings.register_profile(
    "large",
    derandomize=False,
    database=None,
    deadline=None,
    max_examples=LARGE,
    print_blob=True,  # To repeat a failure: examples are in no other run.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "small"))


def examples(small: int, **others: Any) -> settings:
    """The settings of a test that needs this number of examples in the small profile."""
    return settings(max_examples=scaled(small), **others)


def scaled(small: int) -> int:
    """A number of examples in the small profile, made one of the profile that is in use."""
    return max(1, small * settings().max_examples // SMALL)
