"""Paths of the repository, and the environment of processes that tests start."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools/bin"
DCTNET = Path(sys.executable).with_name("dctnet")


def environment(**settings: object) -> dict[str, str]:
    """Return this process's environment without a user's settings, plus these settings.

    Python imports the package from this repository.
    """
    foreign = ("DCTNET_", "OTEL_", "TF_", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    paths = {"PYTHONPATH": f"{ROOT / 'service'}:{ROOT}"}
    return kept | paths | {name: str(value) for name, value in settings.items()}


@cache
def repository_files() -> list[Path]:
    """Return the files that Git tracks or would add, relative to ROOT."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return [Path(name) for name in names if (ROOT / name).is_file()]
