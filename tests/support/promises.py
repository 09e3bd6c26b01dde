"""Promises of dctnet: the marker `promise` on the tests that prove them.

With ``CI`` set, a run of all tests, or of one of SEPARATE_RUNS, fails if a promised test did not
run and pass.
"""

import ast
import os
from collections import defaultdict

import pytest

from tests.support.repo import ROOT

SEPARATE_RUNS = {"tests/e2e/": "in a cluster", "tests/image/test_running.py": "in containers"}
HEADER = """# Promises

What dctnet promises, and the tests that prove it. `make test` runs all of them except those *in a
cluster* ([`make e2e`](e2e.md)) and *in containers* ([`make image-test`](image.md)). In CI, a run
fails if one of these tests does not run and pass. `make promises` generates this page from the
tests' markers.
"""


def tests_by_promise() -> dict[str, list[str]]:
    """Return the tests of each promise as FILE::NAME, parsed without importing them."""
    tests: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                    promise = ast.literal_eval(mark.args[0])
                    tests[promise].append(f"{file.relative_to(ROOT)}::{node.name}")
    return tests


def render_page() -> str:
    sections = [HEADER]
    for promise, tests in sorted(tests_by_promise().items()):
        sections += [f"**{promise}**\n"]
        for file, name in (test.split("::test_") for test in tests):
            where = [
                f" *({words})*" for path, words in SEPARATE_RUNS.items() if file.startswith(path)
            ]
            sections += [f"- [{name.replace('_', ' ')}](../{file}){''.join(where)}"]
        sections += [""]
    return "\n".join(sections)


def _test_of(nodeid: str) -> str:
    """Return FILE::NAME of a test, without its parameters."""
    # pytest-xdist appends `@GROUP` to the name of a test in a group.
    file, *_, name = nodeid.partition("[")[0].partition("@")[0].split("::")
    return f"{file}::{name}"


class PromisePlugin:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.outcomes: dict[str, set[str]] = defaultdict(set)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        for item in items:  # E2E_WITHOUT excludes these, and the run lists them.
            self.outcomes[_test_of(item.nodeid)].add("passed")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self.outcomes[_test_of(report.nodeid)].add(report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        required = [
            test for tests in tests_by_promise().values() for test in tests if self._must_pass(test)
        ]
        for test in (test for test in required if self.outcomes[test] != {"passed"}):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            print(
                f"\npromised, but did not run and pass: {test}: {self.outcomes[test] or 'not run'}"
            )

    def _must_pass(self, test: str) -> bool:
        in_own_run = [
            path.rstrip("/") in self.config.args for path in SEPARATE_RUNS if test.startswith(path)
        ]
        return (
            any(in_own_run)
            if in_own_run
            else self.config.args_source is self.config.ArgsSource.TESTPATHS
        )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(text): proves a promise of docs/promises.md")
    selected = config.option.keyword or config.option.markexpr or config.option.collectonly
    if os.environ.get("CI") and not selected and not hasattr(config, "workerinput"):
        config.pluginmanager.register(PromisePlugin(config))


if __name__ == "__main__":
    (ROOT / "docs/promises.md").write_text(render_page())
