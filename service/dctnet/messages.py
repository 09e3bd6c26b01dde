"""What the process says to the person who started it."""

import sys


def say(sentence: str) -> None:
    """Write one line to standard error, in one piece."""
    sys.stderr.write(f"dctnet: {sentence}\n")
    sys.stderr.flush()
