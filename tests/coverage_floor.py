"""Coverage floor of the packages that compute cartoons: check of the last test run.

Lines and branches count separately: in a sum, many simple lines would hide an untested branch.
"""

import json
import sys
import tempfile
from pathlib import Path

import coverage
from coverage.exceptions import NoDataError

FLOOR_PERCENT = 95.0
PACKAGES = ("engine", "models")


def covered_percent(package: str) -> dict[str, float]:
    """Line and branch coverage of a package in the last run, in percent."""
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
    """Print the coverage; return 1 if any is below the floor."""
    status = 0
    for package in PACKAGES:
        for measure, percent in covered_percent(package).items():
            is_enough = percent >= FLOOR_PERCENT
            suffix = "" if is_enough else f", but it must be at least {FLOOR_PERCENT:.0f} %"
            print(f"dctnet/{package}: {percent:.1f} % of {measure} covered{suffix}")
            status |= not is_enough
    return status


if __name__ == "__main__":
    sys.exit(main())
