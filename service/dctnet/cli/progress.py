"""How far a long command is."""

import shutil
import sys
from typing import Self


class Progress:
    """A bar on standard error that only a person sees: nothing is written to a file or a pipe."""

    _WIDTH = 24

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, done: int, step: str) -> None:
        """Draw the bar again, with what is being done now."""
        filled = self._WIDTH * done // self._total
        bar = "#" * filled + "-" * (self._WIDTH - filled)
        line = f"[{bar}] {done}/{self._total} {step}"
        printable = "".join(c if c.isprintable() else "?" for c in line)
        # A line that wraps could not be taken away again.
        self._write(printable[: shutil.get_terminal_size().columns - 1])

    def clear(self) -> None:
        """Take the bar away, before something else is printed."""
        self._write("")

    def _write(self, line: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{line}")  # Back to the start of the line, and empty it.
            sys.stderr.flush()
