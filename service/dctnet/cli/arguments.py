"""Types of command line arguments that several commands have."""

from argparse import ArgumentTypeError

from dctnet.models import pins
from dctnet.models.pins import Pin


def pin(text: str) -> Pin:
    """Parse a pin; raise ArgumentTypeError."""
    try:
        return Pin.parse(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not {pins.DESCRIPTION}") from None
