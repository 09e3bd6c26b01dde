"""The list of banned phrases: a hit has file, line and replacement."""

import pytest

from tests import banned_phrases


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("Clean.\n\nWhoever asks.", ["3: 'Whoever': write 'the subject that acts: "]),
        ("# They are told\n#   apart.", ["1: 'told # apart': write 'identified'"]),
        ("nobody waits, as it is", ["1: 'nobody': write", "1: 'as it is': write 'unchanged'"]),
        ("This is no JPEG.", ["1: 'is no': write 'is not a'"]),
        ("Two images a second", ["1: 'images a second': write 'per'"]),
        ("It refuses a request", ["1: 'refuses': write 'rejected'"]),
    ],
)
def test_hit_has_line_and_replacement(tmp_path, capsys, text, hits):
    file = tmp_path / "page.md"
    file.write_text(text)
    assert banned_phrases.main([str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(hits)
    for line, hit in zip(lines, hits, strict=True):
        assert line.startswith(f"{file}:{hit}")


@pytest.mark.parametrize(
    "text",
    [
        "The server rejects requests without a key.",
        "There is no such style. It is no longer valid.",
        "connection refused",
        "BatchSpanProcessor, ~nobody, nobody-of-this-name",
        "10 images per second",
    ],
)
def test_clean_text_passes(tmp_path, capsys, text):
    file = tmp_path / "page.md"
    file.write_text(text)
    assert banned_phrases.main([str(file)]) == 0
    assert capsys.readouterr().out == ""


def test_history_licences_and_binaries_are_excluded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "CHANGELOG.md").write_text("whoever")
    assert banned_phrases.main(["CHANGELOG.md", "LICENSE", "docs/glossary.md", "a/b.png"]) == 0
