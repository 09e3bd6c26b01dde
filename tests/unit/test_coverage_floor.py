"""The coverage floor tells lines from branches, and packages from one another."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import coverage_floor

UNTESTED_BRANCH = "def sign(x):\n    if x < 0:\n        x = -x\n    return x\nsign(-1)\n"
TESTED = UNTESTED_BRANCH + "sign(1)\n"
UNTESTED_LINE = TESTED + "def unused():\n    return 1\n"
BELOW = ", but it must be at least 95 %"


@pytest.mark.parametrize(
    ("sources", "shares"),
    [
        ({"engine": TESTED, "models": TESTED}, [100, 100, 100, 100]),
        ({"engine": TESTED, "models": UNTESTED_LINE}, [100, 100, 87.5, 100]),
        ({"engine": UNTESTED_BRANCH}, [100, 50, 0, 0]),
    ],
    ids=["everything", "not a line", "not a branch and not a package"],
)
def test_every_share_of_lines_and_of_branches_is_held_to_the_floor(
    tmp_path, capsys, monkeypatch, sources, shares
):
    measure(tmp_path, sources)
    monkeypatch.chdir(tmp_path)
    assert coverage_floor.main() == (min(shares) < 95)
    said = [f"{share:.1f} % of {{}} covered{BELOW if share < 95 else ''}" for share in shares]
    assert capsys.readouterr().out.splitlines() == [
        f"dctnet/engine: {said[0].format('lines')}",
        f"dctnet/engine: {said[1].format('branches')}",
        f"dctnet/models: {said[2].format('lines')}",
        f"dctnet/models: {said[3].format('branches')}",
    ]


def measure(folder: Path, sources: dict[str, str]) -> None:
    """Measure a run of packages with these sources."""
    for package, source in sources.items():
        (folder / "dctnet" / package).mkdir(parents=True)
        (folder / "dctnet" / package / "code.py").write_text(source)
    (folder / "dctnet" / "__init__.py").touch()  # A package wins over the installed dctnet.
    script = "".join(f"import dctnet.{package}.code\n" for package in sources)
    (folder / "script.py").write_text(script)
    # Without the settings of any project.
    options = ["--rcfile=/dev/null", "--branch", "--source=dctnet"]
    command = [sys.executable, "-m", "coverage", "run", *options, "script.py"]
    subprocess.run(command, cwd=folder, check=True)
