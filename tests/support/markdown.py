"""Parser of documentation pages: headings, links, tables and code blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|href)="([^"]+)\"""")


@dataclass(frozen=True)
class Block:
    """A fenced code block, with the HTML comment on the line before it."""

    line: int
    """The line of its first character, counted from 1."""
    text: str
    note: str

    @property
    def is_run(self) -> bool:
        """Whether a test runs it: not after ``<!-- not run: reason -->``."""
        return not self.note.startswith("not run: ")

    @property
    def keeps_running(self) -> bool:
        """Whether it starts a server: after ``<!-- keeps running -->``."""
        return self.note == "keeps running"


def commands(page: Path) -> list[Block]:
    """Return the page's ``sh`` blocks in order."""
    return blocks(page, "sh")


def blocks(page: Path, language: str) -> list[Block]:
    """Return the page's blocks of one language in order."""
    text = page.read_text()
    return [
        Block(text.count("\n", 0, match.start("text")) + 1, match["text"], match["note"] or "")
        for match in _BLOCK.finditer(text)
        if match["language"] == language
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the page's headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def heading_levels(page: Path) -> list[int]:
    """Return the level of each heading in order, 1 for the title."""
    return [len(marks) for marks in re.findall(r"^(#+) ", _prose(page), re.MULTILINE)]


def links(page: Path) -> list[str]:
    """Return the targets of the page's links and images in order."""
    return [markdown or html for markdown, html in _LINK.findall(_prose(page))]


def _prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def tables(page: Path) -> list[list[dict[str, str]]]:
    """Return the page's tables; each row is a dict by column header."""
    parsed = []
    for block in re.findall(r"(?:^\|.*\|\n)+", _prose(page), re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        )
        parsed.append([dict(zip(head, row, strict=True)) for row in rows])
    return parsed
