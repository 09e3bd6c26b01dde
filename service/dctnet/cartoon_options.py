"""Cartoon options: strength, size and background, as API and command line accept them.

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
_HEX_COLOUR: Final = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

KEEP: Final = "keep"
"""Value of the option `background` that keeps the transparency of an image."""

WHITE: Final[Colour] = (255, 255, 255)


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


def parse_background(text: str) -> Colour | None:
    """Return the colour behind an image's transparency, None to keep it; raise ValueError."""
    if text == KEEP:
        return None
    if text == "white":
        return WHITE
    match = _HEX_COLOUR.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is none of white, {KEEP} and 3 or 6 hexadecimal digits of a colour, such as"
            " ff8800"
        )
    digits = match[1]
    red, green, blue = bytes.fromhex(digits if len(digits) == 6 else _doubled(digits))
    return red, green, blue


def _doubled(digits: str) -> str:
    return "".join(2 * digit for digit in digits)
