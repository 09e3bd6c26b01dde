"""Links, code blocks, translations and the index of the documentation.

`test_commands.py` runs the commands.
"""

import re
from pathlib import Path

import pytest

from tests.support import promises
from tests.support.markdown import anchors, blocks, commands, heading_levels, links, tables
from tests.support.repo import ROOT, repository_files

README = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
INDEX = ROOT / "docs" / "README.md"
PAGES_OF_DOCS = sorted(INDEX.parent.rglob("*.md"))
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *PAGES_OF_DOCS,
    *sorted((ROOT / "k8s").glob("*.md")),
    ROOT / "single-host" / "README.md",
]
LANGUAGES = {"js", "json", "mermaid", "python", "sh", "text", "yaml"}


@pytest.mark.parametrize("language", ["sh", "python", "js"])
def test_readmes_have_the_same_code_blocks(language):
    assert [(block.text, block.note) for block in blocks(README, language)] == [
        (block.text, block.note) for block in blocks(CHINESE, language)
    ]


def test_readmes_have_the_same_headings_and_links():
    chinese = [link.replace("glossary.zh-CN.md", "glossary.md") for link in links(CHINESE)]
    # The first link of each leads to the other.
    assert (links(README)[0], chinese[0]) == (CHINESE.name, README.name)
    assert sorted(links(README)[1:]) == sorted(chinese[1:])
    assert heading_levels(README) == heading_levels(CHINESE)


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_readme_has_at_most_120_lines(page):
    assert len(page.read_text().splitlines()) <= 120


def test_glossaries_have_the_same_terms():
    english, chinese = (
        [row[column] for table in tables(ROOT / "docs" / name) for row in table]
        for name, column in (("glossary.md", "term"), ("glossary.zh-CN.md", "English"))
    )
    assert english == chinese
    assert english == sorted(english, key=str.lower)


def test_documentation_index_lists_every_page_once():
    listed = [path for path in map(index_target, links(INDEX)) if path is not None]
    pages = {path for path in PAGES_OF_DOCS if path != INDEX}
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) == pages


def index_target(link: str) -> Path | None:
    """Return the page under docs/ that a link of the index leads to, or None."""
    target = (INDEX.parent / link.partition("#")[0]).resolve()
    return target if INDEX.parent in target.parents and target.suffix == ".md" else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page):
    repository_paths = {
        path_or_parent for name in repository_files() for path_or_parent in (name, *name.parents)
    }
    for link in links(page):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.relative_to(ROOT) in repository_paths, link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_have_known_languages_and_notes(page):
    languages = set(re.findall(r"^```(\w+)", page.read_text(), re.MULTILINE))
    assert languages <= LANGUAGES
    notes = re.findall(r"^<!-- (.*) -->$", page.read_text(), re.MULTILINE)
    # These mark where a benchmark writes its figures, such as benchmarks/process_model.py.
    notes = [note for note in notes if not re.match(r"(end of )?figures\b", note)]
    assert [note for note in notes if not re.match(r"not run: \w|keeps running$", note)] == []
    # Each note is on the line before its block.
    assert len(notes) == sum(bool(block.note) for block in commands(page))


def test_promises_page_is_generated_from_markers():
    assert (ROOT / "docs" / "promises.md").read_text() == promises.render_page(), (
        "run `make promises`"
    )
