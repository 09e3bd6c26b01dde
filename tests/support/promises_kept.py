"""In CI a run fails where a promise's test is due and does not pass: a plugin for pytest.

Due are the tests of the files and folders that the run was asked for, those in a cluster and in
containers only where it was asked for theirs. A run of single tests, or of some by a word, is held
to nothing.
"""

import os
from pathlib import Path

import pytest

from tests.support.promises import IN_A_CLUSTER, IN_CONTAINERS, read


class PromisesKept:
    def __init__(self) -> None:
        self.outcomes: dict[str, set[str]] = {}
        """Of each test, without its parameters, whatever became of its cases."""
        self.broken: list[str] = []
        self.left_out: list[str] = []

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        for item in items:
            self._note(item.nodeid, "left out")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._note(report.nodeid, report.outcome)

    def _note(self, nodeid: str, outcome: str) -> None:
        self.outcomes.setdefault(nodeid.partition("[")[0], set()).add(outcome)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        for promise in read(session.config.rootpath):
            for test in promise.tests:
                self._look(test, promise.says, session.config)
        if self.broken and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _look(self, test: str, promise: str, config: pytest.Config) -> None:
        outcomes = self.outcomes.get(test, {"not run"})
        if outcomes == {"passed"} or not is_due(test, config):
            return
        line = f"{promise} {test}: {', '.join(sorted(outcomes - {'passed'}))}"
        may_be_left_out = test.startswith(IN_A_CLUSTER) and outcomes <= {"passed", "left out"}
        (self.left_out if may_be_left_out else self.broken).append(line)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.left_out:
            terminalreporter.section("promises that this run did not try")
            terminalreporter.write("".join(f"{line}\n" for line in self.left_out))
        if self.broken:
            terminalreporter.section("promises that are not proven")
            terminalreporter.write("".join(f"{line}\n" for line in self.broken), red=True)


def is_due(test: str, config: pytest.Config) -> bool:
    """Whether a run was asked for a test by a path that holds it."""
    file = test.partition("::")[0]
    asked = [
        os.path.relpath(config.invocation_params.dir / argument, config.rootpath)
        for argument in config.args
    ]
    if file.startswith(IN_A_CLUSTER):
        asked = [path for path in asked if f"{path}/".startswith(IN_A_CLUSTER)]
    elif file == IN_CONTAINERS and "CONTAINER_ENGINE" not in os.environ:
        return False
    return any(Path(file).is_relative_to(path) for path in asked)


def is_of_some(config: pytest.Config) -> bool:
    """Whether some of the tests were chosen, by more than their files."""
    option = config.option
    chosen = (option.keyword, option.markexpr, option.deselect, option.ignore, option.ignore_glob)
    by_name = any("::" in argument for argument in config.args)
    return any(chosen) or by_name or option.collectonly or config.getoption("lf", False)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI", "").lower() in {"1", "true"} and not is_of_some(config):
        config.pluginmanager.register(PromisesKept(), "promises-kept")
