"""Fails when the last test run covered too little of the packages that compute cartoons.

Lines and branches are counted apart: together, many simple lines would hide an untested branch.
"""

import json
import sys
import tempfile
from pathlib import Path

import coverage
from coverage.exceptions import NoDataError

FLOOR_PERCENT = 95.0
PACKAGES = ("engine", "models")


def covered(package: str) -> dict[str, float]:
    """The percentages of lines and branches of one package that the last run covered."""
    measured = coverage.Coverage(messages=False)
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        try:
            measured.json_report(include=f"*/dctnet/{package}/*", outfile=str(report))
        except NoDataError:  # No test imported it.
            return {"lines": 0.0, "branches": 0.0}
        totals = json.loads(report.read_text())["totals"]
    return {
        "lines": totals["percent_statements_covered"],
        "branches": totals["percent_branches_covered"],
    }


def main() -> int:
    """Print what is covered and return 1 when anything is below the floor."""
    status = 0
    for package in PACKAGES:
        for kind, percent in covered(package).items():
            enough = percent >= FLOOR_PERCENT
            verdict = "" if enough else f", but it must be at least {FLOOR_PERCENT:.0f} %"
            print(f"dctnet/{package}: {percent:.1f} % of {kind} covered{verdict}")
            status |= not enough
    return status


if __name__ == "__main__":
    sys.exit(main())
