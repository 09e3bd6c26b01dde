"""Cartoon options: strength and size, as the API and the command line accept them.

Imports nothing heavy, so that `dctnet --help` is fast.
"""

import re
from typing import Final

MIN_SIZE: Final = 16
"""Smallest value of the option `size`, in pixels."""

MAX_SIZE: Final = 65_535
"""Largest value of the option `size`, in pixels."""

# JSON numbers: Python's float() also accepts 1_0 and nan, its int() other digits.
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"[0-9]{1,5}")


def parse_strength(text: str) -> float:
    """Return the strength, 0 to 1; raise ValueError for what is not allowed."""
    if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= 1:
        raise ValueError(f"{text!r} is not a number from 0 to 1, such as 0.5")
    return float(text)


def parse_size(text: str) -> int:
    """Return the limit of the longest side in pixels; raise ValueError for what is not allowed."""
    if not _INTEGER.fullmatch(text) or not MIN_SIZE <= int(text) <= MAX_SIZE:
        raise ValueError(f"{text!r} is not a whole number of pixels from {MIN_SIZE} to {MAX_SIZE}")
    return int(text)
