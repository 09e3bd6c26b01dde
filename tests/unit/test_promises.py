"""Each promise has tests that prove it, its page is up to date, and CI tells where they did not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import promises

ROOT = promises.ROOT

PROMISE = """
[[promise]]
area = "Under load"
says = "It holds."
tests = ["{test}"]
"""
FIGURE = """
[promise.figure]
says = "{says}"
page = "docs/measured.md"
quotes = ["it took 7 ms of 10"]
machine = "a small one"
"""
TESTS = """
import pytest

def test_passes(): pass

@pytest.mark.parametrize("case", ["well", "badly"])
def test_of_cases(case): {cases}

def test_skips(): pytest.skip("needs what is not here")

@pytest.mark.skipif(True, reason="never here")
def test_marked(): pass

def helper(): pass

class TestOne:
    def test_in_a_class(self): pass
"""
HERE = "tests/test_it.py::"
IN_CI = {"CI": "1", "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_every_promise_names_tests_that_are_there_and_figures_that_are_on_their_pages() -> None:
    assert list(promises.faults(ROOT)) == []


def test_the_page_is_as_make_promises_leaves_it() -> None:
    assert (ROOT / promises.PAGE).read_text() == promises.page(ROOT), "run `make promises`"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/measured.md").write_text("All in all it took\n7 ms of 10.\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.py").write_text(TESTS.format(cases="pass"))
    settings = "[pytest]\naddopts = --import-mode=importlib -p tests.support.promises_kept\n"
    (tmp_path / "pytest.ini").write_text(settings + "testpaths = tests\nnorecursedirs = e2e\n")
    return tmp_path


def promise(repository: Path, test: str, figure: str = "") -> None:
    (repository / promises.SOURCE).write_text(PROMISE.format(test=test) + figure)


@pytest.mark.parametrize("name", ["test_passes", "test_of_cases", "TestOne::test_in_a_class"])
def test_a_test_that_is_there_will_do(repository: Path, name: str) -> None:
    promise(repository, HERE + name, FIGURE.format(says="7 ms"))
    assert list(promises.faults(repository)) == []


@pytest.mark.parametrize(
    ("test", "fault"),
    [
        (f"{HERE}test_gone", "is no test."),
        (f"{HERE}helper", "is no test."),
        (f"{HERE}test_in_a_class", "is no test."),
        (f"{HERE}test_of_cases[well]", "is no test."),
        ("tests/test_none.py::test_passes", "is no test."),
        ("tests/test_it.py", "is no test."),
        (f"{HERE}test_marked", "proves nothing where it is skipped or expected to fail."),
    ],
)
def test_what_is_no_proof_is_named(repository: Path, test: str, fault: str) -> None:
    promise(repository, test)
    assert list(promises.faults(repository)) == [f"{test} {fault}"]


def test_a_promise_without_tests_and_one_that_is_there_twice_are_named(repository: Path) -> None:
    text = PROMISE.replace('"{test}"', "")
    (repository / promises.SOURCE).write_text(text * 2)
    found = list(promises.faults(repository))
    assert found == ["It holds. names no test."] * 2 + ["It holds. is there twice."]


def test_a_figure_that_its_page_does_not_have_is_named(repository: Path) -> None:
    promise(repository, f"{HERE}test_passes", FIGURE.format(says="7 ms of 11"))
    number, *others = promises.faults(repository)
    assert others == []
    assert number == "11 of the figure `7 ms of 11` is in none of its quotes."
    (repository / "docs/measured.md").write_text("All in all it took 8 ms of 10.\n")
    assert "docs/measured.md does not say: it took 7 ms of 10" in promises.faults(repository)


def run(repository: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run a repository's tests in CI; return the exit status and what is not proven or tried."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=repository,
        env=os.environ | IN_CI | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in ran.stdout.splitlines() if line.startswith("It holds. ")]
    return ran.returncode, "\n".join(lines).removeprefix("It holds. ")


def test_in_ci_a_proof_that_passes_is_enough(repository: Path) -> None:
    for name in "test_of_cases", "TestOne::test_in_a_class":
        promise(repository, HERE + name)
        assert run(repository) == (0, "")


def test_in_ci_a_proof_that_is_skipped_fails_the_run(repository: Path) -> None:
    promise(repository, f"{HERE}test_skips")
    assert run(repository) == (1, f"{HERE}test_skips: skipped")
    assert run(repository, CI="") == (0, "")


def test_in_ci_a_proof_that_was_not_run_fails_the_run(repository: Path) -> None:
    promise(repository, f"{HERE}test_passes")
    leave_out(repository / "tests", deselect=False)
    assert run(repository) == (1, f"{HERE}test_passes: not run")
    assert run(repository, "tests/test_it.py")[0] == 1
    leave_out(repository / "tests", deselect=True)
    assert run(repository) == (1, f"{HERE}test_passes: left out")


def test_in_ci_one_case_that_fails_is_named(repository: Path) -> None:
    (repository / "tests/test_it.py").write_text(TESTS.format(cases="assert case == 'well'"))
    promise(repository, f"{HERE}test_of_cases")
    assert run(repository) == (1, f"{HERE}test_of_cases: failed")


def test_a_run_of_some_tests_is_held_to_nothing(repository: Path) -> None:
    promise(repository, f"{HERE}test_skips")
    (repository / "tests/test_other.py").write_text("def test_other(): pass\n")
    for some in ["-k", "passes"], [f"{HERE}test_passes"], ["tests/test_other.py"]:
        assert run(repository, *some) == (0, "")


def test_what_is_apart_is_due_where_its_folder_is_asked_for(repository: Path) -> None:
    apart = repository / "tests/e2e"
    apart.mkdir()
    (apart / "test_it.py").write_text(TESTS.format(cases="pass"))
    proof = "tests/e2e/test_it.py::test_passes"
    promise(repository, proof)
    assert run(repository) == (0, "")
    assert run(repository, "tests/e2e") == (0, "")
    leave_out(apart, deselect=False)
    assert run(repository, "tests/e2e") == (1, f"{proof}: not run")
    # As E2E_WITHOUT does: it is listed, and fails nothing.
    leave_out(apart, deselect=True)
    assert run(repository, "tests/e2e") == (0, f"{proof}: left out")


def test_containers_are_due_where_there_is_an_engine(repository: Path) -> None:
    (repository / "tests/image").mkdir()
    promise(repository, f"{promises.IN_CONTAINERS}::test_passes")
    (repository / "tests/image/test_make.py").write_text("def test_make(): pass\n")
    assert run(repository) == run(repository, "tests/image") == (0, "")
    missing = (1, f"{promises.IN_CONTAINERS}::test_passes: not run")
    assert run(repository, "tests/image", CONTAINER_ENGINE="podman") == missing


def leave_out(folder: Path, *, deselect: bool) -> None:
    tell = "config.hook.pytest_deselected(items=gone)" if deselect else "pass"
    (folder / "conftest.py").write_text(
        "def pytest_collection_modifyitems(config, items):\n"
        "    gone = [item for item in items if item.name == 'test_passes']\n"
        "    items[:] = [item for item in items if item not in gone]\n"
        f"    {tell}\n"
    )
