"""What all tests share: a portrait, and a run's end that hides no skipped test."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import skimage.data

import tests.support.hypothesis_profiles  # noqa: F401 - registers and loads them

# A background job of a shell ignores Ctrl-C, and what a test interrupts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A portrait with one face, 512x512x3 uint8 RGB, read-only: NASA, public domain."""
    image = skimage.data.astronaut()
    image.setflags(write=False)
    return image


@pytest.fixture(scope="session")
def upstream_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model as upstream ships one, by frozen graphs; not to be changed."""
    from demo_model.upstream import write_upstream_format  # TensorFlow costs seconds.

    folder = tmp_path_factory.mktemp("upstream-demo")
    write_upstream_format(folder)
    return folder


def _skips_fail() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def _skipped(reporter: pytest.TerminalReporter) -> list[tuple[str, str]]:
    """The tests that were not run, as (test or file, reason)."""
    return [
        (report.nodeid, str(report.longrepr[2]).removeprefix("Skipped: "))
        for report in reporter.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    ]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a test that was not run is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if _skips_fail() and exitstatus == pytest.ExitCode.OK and _skipped(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with what was not run, and why: the reason of a skip says how to get what is missing."""
    skipped = _skipped(terminalreporter)
    if not skipped:
        return
    terminalreporter.section("not run")
    for test, reason in skipped:
        terminalreporter.line(f"{test}: {reason}")
    if _skips_fail():
        terminalreporter.line("CI runs every test: these skips fail the run.", red=True)
