"""Processes in which some packages are not installed."""

import subprocess
import sys
from collections.abc import Mapping

_BLOCKER = """
import sys

class Without:
    def __init__(self, finder, packages):
        self.finder, self.packages = finder, packages

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.packages:
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder, {packages!r}) for finder in sys.meta_path]
"""


def run_without(
    packages: set[str], program: str, *args: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a Python program in a process that cannot import the packages."""
    blocker = _BLOCKER.replace("{packages!r}", repr(packages))
    return subprocess.run(
        [sys.executable, "-c", blocker + program, *args],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
