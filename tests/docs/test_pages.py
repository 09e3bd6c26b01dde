"""Links lead somewhere; commands are in blocks that tests know, and the same in both languages.

Whether the commands work is what `test_commands.py` tries.
"""

import re

import pytest

from tests.support import promises
from tests.support.markdown import anchors, blocks, commands, links
from tests.support.repo import ROOT, repository_files

README = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "k8s").glob("*.md")),
    ROOT / "single-host" / "README.md",
]
LANGUAGES = {"js", "json", "python", "sh", "text"}


@pytest.mark.parametrize("language", ["sh", "python", "js"])
def test_readmes_have_the_same_code_blocks(language):
    assert [(block.text, block.note) for block in blocks(README, language)] == [
        (block.text, block.note) for block in blocks(CHINESE, language)
    ]


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
    # They mark where figures are written, such as those of benchmarks/process_model.py.
    notes = [note for note in notes if not re.match(r"(end of )?figures\b", note)]
    assert [note for note in notes if not re.match(r"not run: \w|keeps running$", note)] == []
    # Each note is right before the block that it speaks of.
    assert len(notes) == sum(bool(block.note) for block in commands(page))


def test_promises_page_is_generated_from_markers():
    assert (ROOT / "docs" / "promises.md").read_text() == promises.render_page(), (
        "run `make promises`"
    )
