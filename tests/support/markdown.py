"""What the documentation shows: its headings, its links, and the commands that a reader types."""

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
    """A block of code, with what the comment before it says of running it."""

    line: int
    """Where it begins, counted from 1."""
    text: str
    note: str

    @property
    def is_run(self) -> bool:
        """Whether a test types it; ``<!-- not run: reason -->`` says that it does not."""
        return not self.note.startswith("not run: ")

    @property
    def keeps_running(self) -> bool:
        """Whether it starts a server, as ``<!-- keeps running -->`` says."""
        return self.note == "keeps running"


def commands(page: Path) -> list[Block]:
    """Return the page's ```sh blocks in their order."""
    return blocks(page, "sh")


def blocks(page: Path, language: str) -> list[Block]:
    """Return the page's blocks in a language in their order."""
    text = page.read_text()
    return [
        Block(text.count("\n", 0, match.start("text")) + 1, match["text"], match["note"] or "")
        for match in _BLOCK.finditer(text)
        if match["language"] == language
    ]


def anchors(page: Path) -> set[str]:
    """Return the names by which links reach the page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def links(page: Path) -> list[str]:
    """Return where the page's links and images point, in their order."""
    return [markdown or html for markdown, html in _LINK.findall(_prose(page))]


def _prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def tables(page: Path) -> list[list[dict[str, str]]]:
    """Return the page's tables, each as its rows by the heads of their columns."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", _prose(page), re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        )
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found
