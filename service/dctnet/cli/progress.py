"""Progress bar of long commands."""

import shutil
import sys
from typing import Self


class Progress:
    """Progress bar on standard error, shown only if that is a terminal."""

    _WIDTH = 24

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, done: int, step: str) -> None:
        """Update the bar and the name of the current step."""
        filled = self._WIDTH * done // self._total
        bar = "#" * filled + "-" * (self._WIDTH - filled)
        line = f"[{bar}] {done}/{self._total} {step}"
        printable = "".join(c if c.isprintable() else "?" for c in line)
        # A wrapped line could not be cleared.
        self._write(printable[: shutil.get_terminal_size().columns - 1])

    def clear(self) -> None:
        """Clear the bar, before other output."""
        self._write("")

    def _write(self, line: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{line}")  # Return to the start of the line and clear it.
            sys.stderr.flush()
