"""How far a long command is."""

import sys


class Progress:
    """A bar on standard error that only a person sees: nothing is written to a file or a pipe."""

    _WIDTH = 24

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = sys.stderr.isatty()

    def show(self, done: int, doing: str) -> None:
        """Draw the bar anew, with what is being done now."""
        filled = self._WIDTH * done // self._total
        bar = "#" * filled + "-" * (self._WIDTH - filled)
        self._write(f"[{bar}] {done}/{self._total} {doing}")

    def clear(self) -> None:
        """Take the bar away, before something else is printed."""
        self._write("")

    def _write(self, line: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{line}")  # Back to the start of the line, and empty it.
            sys.stderr.flush()
