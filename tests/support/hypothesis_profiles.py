"""Hypothesis profiles: `small`, deterministic; `large`, 20 times as many random examples.

Select `large` with `HYPOTHESIS_PROFILE=large` or pytest's `--hypothesis-profile=large`.
"""

import os
from typing import Any

from hypothesis import HealthCheck, settings

SMALL, LARGE = 100, 2000
"""Examples per test, by default."""

settings.register_profile(
    "small", derandomize=True, database=None, deadline=None, max_examples=SMALL
)
settings.register_profile(
    "large",
    derandomize=False,
    database=None,
    deadline=None,
    max_examples=LARGE,
    print_blob=True,  # Reproduces a failure, whose example no other run has.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "small"))


def examples(small: int, **others: Any) -> settings:
    """Settings of a test with this number of examples in the small profile."""
    return settings(max_examples=scaled(small), **others)


def scaled(small: int) -> int:
    """Number of examples in the current profile, given that of the small one."""
    return max(1, small * settings().max_examples // SMALL)
