"""Where the repository's files lie, and what a process that runs them has in its environment."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools/bin"
DCTNET = Path(sys.executable).with_name("dctnet")


def environment(**settings: object) -> dict[str, str]:
    """This process's environment without a user's settings, and with these.

    The package that a Python started with it imports is this repository's.
    """
    foreign = ("DCTNET_", "OTEL_", "TF_", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    paths = {"PYTHONPATH": f"{ROOT / 'service'}:{ROOT}"}
    return kept | paths | {name: str(value) for name, value in settings.items()}


@cache
def repository_files() -> list[Path]:
    """What a clone would hold if the working tree were committed as it is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return [Path(name) for name in names if (ROOT / name).is_file()]
