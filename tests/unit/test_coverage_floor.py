"""Coverage floor: lines and branches of each package."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import coverage_floor

UNTESTED_BRANCH = "def sign(x):\n    if x < 0:\n        x = -x\n    return x\nsign(-1)\n"
TESTED = UNTESTED_BRANCH + "sign(1)\n"
UNTESTED_LINE = TESTED + "def unused():\n    return 1\n"
BELOW_FLOOR = ", but it must be at least 95 %"


@pytest.mark.parametrize(
    ("sources", "percentages"),
    [
        ({"engine": TESTED, "models": TESTED}, [100, 100, 100, 100]),
        ({"engine": TESTED, "models": UNTESTED_LINE}, [100, 100, 87.5, 100]),
        ({"engine": UNTESTED_BRANCH}, [100, 50, 0, 0]),
    ],
    ids=["all covered", "line not covered", "branch and package not covered"],
)
def test_line_and_branch_coverage_of_each_package(
    tmp_path, capsys, monkeypatch, sources, percentages
):
    measure(tmp_path, sources)
    monkeypatch.chdir(tmp_path)
    assert coverage_floor.main() == (min(percentages) < 95)
    verdicts = [
        f"{percentage:.1f} % of {{}} covered{BELOW_FLOOR if percentage < 95 else ''}"
        for percentage in percentages
    ]
    assert capsys.readouterr().out.splitlines() == [
        f"dctnet/engine: {verdicts[0].format('lines')}",
        f"dctnet/engine: {verdicts[1].format('branches')}",
        f"dctnet/models: {verdicts[2].format('lines')}",
        f"dctnet/models: {verdicts[3].format('branches')}",
    ]


def measure(folder: Path, sources: dict[str, str]) -> None:
    """Run packages with these sources under coverage."""
    for package, source in sources.items():
        (folder / "dctnet" / package).mkdir(parents=True)
        (folder / "dctnet" / package / "code.py").write_text(source)
    (folder / "dctnet" / "__init__.py").touch()  # This package precedes the installed dctnet.
    script = "".join(f"import dctnet.{package}.code\n" for package in sources)
    (folder / "script.py").write_text(script)
    # Without the project's configuration.
    options = ["--rcfile=/dev/null", "--branch", "--source=dctnet"]
    command = [sys.executable, "-m", "coverage", "run", *options, "script.py"]
    subprocess.run(command, cwd=folder, check=True)
