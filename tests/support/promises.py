"""What dctnet promises: the marker `promise` on the tests that prove it.

In CI a run of all tests, or of those APART, fails where a promised test did not run and pass.
"""

import ast
import os
from collections import defaultdict

import pytest

from tests.support.repo import ROOT

APART = {"tests/e2e/": "in a cluster", "tests/image/test_running.py": "in containers"}
HEAD = """# Promises

What dctnet promises, and the tests that prove it, all of which `make test` runs but for those *in a
cluster* ([`make e2e`](e2e.md)) and *in containers* ([`make image-test`](image.md)). In CI one that
does not run and pass is a failure. `make promises` writes this page from the tests' markers.
"""


def marked() -> dict[str, list[str]]:
    """The tests of each promise, as FILE::NAME; read from the files, without importing them."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                    promise = ast.literal_eval(mark.args[0])
                    found[promise].append(f"{file.relative_to(ROOT)}::{node.name}")
    return found


def page() -> str:
    sections = [HEAD]
    for promise, tests in sorted(marked().items()):
        sections += [f"**{promise}**\n"]
        for file, name in (test.split("::test_") for test in tests):
            where = [f" *({words})*" for path, words in APART.items() if file.startswith(path)]
            sections += [f"- [{name.replace('_', ' ')}](../{file}){''.join(where)}"]
        sections += [""]
    return "\n".join(sections)


class Promises:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.outcomes: dict[str, set[str]] = defaultdict(set)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        for item in items:  # By E2E_WITHOUT, which lists them.
            self.outcomes[item.nodeid] = {"passed"}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A test in a group of pytest-xdist has `@GROUP` behind its name.
        file, *_, name = report.nodeid.partition("[")[0].partition("@")[0].split("::")
        if report.when == "call" or not report.passed:
            self.outcomes[f"{file}::{name}"].add(report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        due = [test for tests in marked().values() for test in tests if self._is_due(test)]
        for test in (test for test in due if self.outcomes[test] != {"passed"}):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            print(f"\npromised, but not run and passed: {test}: {self.outcomes[test] or 'not run'}")

    def _is_due(self, test: str) -> bool:
        apart = [path.rstrip("/") in self.config.args for path in APART if test.startswith(path)]
        return any(apart) if apart else self.config.args_source is self.config.ArgsSource.TESTPATHS


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(text): proves what docs/promises.md promises")
    some = config.option.keyword or config.option.markexpr or config.option.collectonly
    if os.environ.get("CI") and not some and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Promises(config))


if __name__ == "__main__":
    (ROOT / "docs/promises.md").write_text(page())
