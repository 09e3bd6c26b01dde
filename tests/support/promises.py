"""The promises of docs/promises.toml: read, held to what there is, and written as a page.

    .venv/bin/python -m tests.support.promises

writes docs/promises.md, which `make promises` does. It needs no package.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = Path("docs/promises.toml")
PAGE = Path("docs/promises.md")
IN_A_CLUSTER = "tests/e2e/"
IN_CONTAINERS = "tests/image/test_running.py"

HEAD = """\
# Promises

What dctnet promises, the tests that prove it, and what was measured last. `make promises` writes
this page from [`promises.toml`](promises.toml).

- A test of `make test` runs in CI at every change: where one that is named here does not run and
  pass, CI fails. A name that no test has fails `make test` on every machine.
- *In a cluster* is a test of [`make e2e`](e2e.md), which CI runs where it can make a cluster, of
  one node and without {without}.
  What needs one of these is run *by hand*.
- *In containers, by hand* is a test of [`make image-test`](image.md).
- Figures are those of the page that each names, which says how they were taken. They hold for that
  machine alone, and nothing measures them anew: what changes on the page fails `make test`.
"""


@dataclass(frozen=True)
class Figure:
    says: str
    page: Path
    quotes: tuple[str, ...]
    """What stands on the page, word for word but for line breaks."""
    machine: str


@dataclass(frozen=True)
class Promise:
    area: str
    says: str
    tests: tuple[str, ...]
    """As pytest names them, without parameters."""
    figure: Figure | None


@dataclass(frozen=True)
class WrittenTest:
    """One that is written in a file, found without importing it."""

    skips: bool
    """Whether a decorator may skip it, or expects it to fail."""
    needs: frozenset[str]
    """The parts of a cluster that it needs."""


def read(root: Path) -> list[Promise]:
    document = tomllib.loads((root / SOURCE).read_text())
    return [
        Promise(entry["area"], entry["says"], tuple(entry["tests"]), _figure(entry.get("figure")))
        for entry in document["promise"]
    ]


def _figure(entry: dict[str, str] | None) -> Figure | None:
    if entry is None:
        return None
    quotes = tuple(_unwrapped(quote) for quote in entry["quotes"])
    return Figure(entry["says"], Path(entry["page"]), quotes, entry["machine"])


def tests_of(file: Path) -> dict[str, WrittenTest]:
    """Return a file's tests by what follows its name in theirs."""
    found: dict[str, WrittenTest] = {}

    def look(body: list[ast.stmt], before: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                look(node.body, f"{before}{node.name}::")
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = [ast.unparse(decorator) for decorator in node.decorator_list]
                found[before + node.name] = WrittenTest(
                    skips=any(re.search(r"\bmark\.(skip|skipif|xfail)\b", mark) for mark in marks),
                    needs=frozenset(re.findall(r"mark\.needs\('(\w+)'\)", "".join(marks))),
                )

    look(ast.parse(file.read_text()).body, "")
    return found


def faults(root: Path) -> Iterator[str]:
    """Say what is wrong: a test that is none, a figure that is not on its page."""
    promises = read(root)
    for promise in promises:
        if not promise.tests:
            yield f"{promise.says} names no test."
        for test in promise.tests:
            file, _, name = test.partition("::")
            found = tests_of(root / file).get(name) if (root / file).is_file() else None
            if found is None:
                yield f"{test} is no test."
            elif found.skips:
                yield f"{test} proves nothing where it is skipped or expected to fail."
        if promise.figure:
            yield from _faults_of(promise.figure, root)
    areas = [area for area, _ in groupby(promise.area for promise in promises)]
    for values in ([promise.says for promise in promises], areas):
        yield from (f"{value} is there twice." for value in set(values) if values.count(value) > 1)


def _faults_of(figure: Figure, root: Path) -> Iterator[str]:
    page = _unwrapped((root / figure.page).read_text())
    yield from (
        f"{figure.page} does not say: {quote}" for quote in figure.quotes if quote not in page
    )
    quoted = {number for quote in figure.quotes for number in _numbers(quote)}
    for number in _numbers(figure.says):
        if number not in quoted:
            yield f"{number} of the figure `{figure.says}` is in none of its quotes."


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.,]\d+)*", text)


def _unwrapped(text: str) -> str:
    return " ".join(text.split())


def left_out_in_ci(root: Path) -> list[str]:
    """Return the parts of a cluster that CI's has not."""
    (parts,) = re.findall(r"\bE2E_WITHOUT='([a-z ]+)'", (root / ".ci" / "run").read_text())
    return parts.split()


def page(root: Path) -> str:
    without = left_out_in_ci(root)
    words = f"{', '.join(without[:-1])} and {without[-1]}"
    lines = [HEAD.format(without=words)]
    for area, promises in groupby(read(root), key=lambda promise: promise.area):
        lines.append(f"## {area}\n")
        for promise in promises:
            lines.append(f"**{promise.says}**\n")
            lines += [_line(test, root, set(without)) for test in promise.tests]
            if figure := promise.figure:
                link = f"[{figure.page.name}]({_from_docs(figure.page)})"
                lines.append(f"- Measured: {figure.says} ({link}; machine: {figure.machine}).")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _line(test: str, root: Path, without: set[str]) -> str:
    file, _, name = test.partition("::")
    sentence = name.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    where = ""
    if file.startswith(IN_A_CLUSTER):
        by_hand = tests_of(root / file)[name].needs & without
        where = " *(in a cluster, by hand)*" if by_hand else " *(in a cluster)*"
    elif file == IN_CONTAINERS:
        where = " *(in containers, by hand)*"
    return f"- [{sentence}]({_from_docs(Path(file))}){where}"


def _from_docs(file: Path) -> str:
    return file.name if file.parent == PAGE.parent else f"../{file}"


def main() -> None:
    (ROOT / PAGE).write_text(page(ROOT))


if __name__ == "__main__":
    main()
