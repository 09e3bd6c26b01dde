"""Fixtures of all tests; a report of skipped tests, which fail in CI."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data

import tests.support.hypothesis_profiles  # noqa: F401 - registers and loads them

# A shell's background job ignores SIGINT, and the processes of tests would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """Portrait with one face, 512x512x3 uint8 RGB, read-only: NASA, public domain."""
    image = skimage.data.astronaut()
    image.setflags(write=False)
    return image


@pytest.fixture(scope="session")
def upstream_comic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shipped styles in upstream's form, with frozen graphs; do not change it."""
    from shipped_styles.upstream import write_upstream_format  # TensorFlow costs seconds.

    folder = tmp_path_factory.mktemp("upstream-comic")
    write_upstream_format(folder)
    return folder


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def _skipped_tests(reporter: pytest.TerminalReporter) -> list[tuple[str, str]]:
    """Skipped tests, as (test or file, reason)."""
    return [
        (report.nodeid, str(report.longrepr[2]).removeprefix("Skipped: "))
        for report in reporter.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    ]


def pytest_collection_finish() -> None:
    """Keep collection cheap: each test process collects all tests, and few need TensorFlow."""
    if "tensorflow" in sys.modules:
        raise pytest.UsageError("A test module imports TensorFlow: use tests.support.lazy_import.")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI, fail the run if a test was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if _is_ci() and exitstatus == pytest.ExitCode.OK and _skipped_tests(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List skipped tests with their reasons, which say how to install what is missing."""
    skipped = _skipped_tests(terminalreporter)
    if not skipped:
        return
    terminalreporter.section("not run")
    for test, reason in skipped:
        terminalreporter.line(f"{test}: {reason}")
    if _is_ci():
        terminalreporter.line("CI runs every test: these skips fail the run.", red=True)
