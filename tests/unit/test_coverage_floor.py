"""The coverage floor tells lines from branches, and packages from one another."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "coverage_floor.py"
UNTESTED_BRANCH = "def sign(x):\n    if x < 0:\n        x = -x\n    return x\nsign(-1)\n"
TESTED = UNTESTED_BRANCH + "sign(1)\n"
UNTESTED_LINE = TESTED + "def unused():\n    return 1\n"


def floor(folder: Path, **sources: str) -> tuple[int, list[str]]:
    """Measure a run of packages with these sources; return the floor's status and lines."""
    for package, source in sources.items():
        (folder / "dctnet" / package).mkdir(parents=True)
        (folder / "dctnet" / package / "code.py").write_text(source)
    script = "".join(f"import dctnet.{package}.code\n" for package in sources)
    (folder / "dctnet" / "__init__.py").touch()  # A package wins over the installed dctnet.
    (folder / "script.py").write_text(script)
    # Without the settings of any project.
    options = ["--rcfile=/dev/null", "--branch", "--source=dctnet"]
    subprocess.run(
        [sys.executable, "-m", "coverage", "run", *options, "script.py"], cwd=folder, check=True
    )
    run = subprocess.run(
        [sys.executable, SCRIPT], cwd=folder, stdout=subprocess.PIPE, text=True, check=False
    )
    return run.returncode, run.stdout.splitlines()


def test_what_is_covered_passes(tmp_path: Path) -> None:
    status, lines = floor(tmp_path, engine=TESTED, models=TESTED)
    assert status == 0
    assert lines == [
        "dctnet/engine: 100.0 % of lines covered",
        "dctnet/engine: 100.0 % of branches covered",
        "dctnet/models: 100.0 % of lines covered",
        "dctnet/models: 100.0 % of branches covered",
    ]


def test_an_untested_branch_fails_though_every_line_is_covered(tmp_path: Path) -> None:
    status, lines = floor(tmp_path, engine=UNTESTED_BRANCH, models=TESTED)
    assert status == 1
    assert lines[0] == "dctnet/engine: 100.0 % of lines covered"
    assert lines[1] == "dctnet/engine: 50.0 % of branches covered, but it must be at least 95 %"


def test_an_untested_line_fails(tmp_path: Path) -> None:
    status, lines = floor(tmp_path, engine=TESTED, models=UNTESTED_LINE)
    assert status == 1
    assert lines[2].endswith("% of lines covered, but it must be at least 95 %")


def test_a_package_that_no_test_imports_fails(tmp_path: Path) -> None:
    status, lines = floor(tmp_path, engine=TESTED)
    assert status == 1
    assert lines[2] == "dctnet/models: 0.0 % of lines covered, but it must be at least 95 %"
