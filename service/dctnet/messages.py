"""What the process says to the person who started it."""

import sys


def say(sentence: str) -> None:
    """Write one line to standard error, in one piece, whatever names went into it."""
    if sys.stderr is None:  # It was closed when the process started.
        return
    printable = "".join(c if c.isprintable() else "?" for c in sentence)
    sys.stderr.write(f"dctnet: {printable}\n")
    sys.stderr.flush()
