import json
from pathlib import Path

import pytest

from dctnet.cli import main
from dctnet.models.styles import STYLES


@pytest.fixture(autouse=True)
def _one_fetched_style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(tmp_path))
    (tmp_path / "sketch").mkdir()


def test_the_table_names_every_style_and_says_which_is_fetched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["styles"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()[: len(STYLES) + 1]
    assert heading.split() == ["STYLE", "FETCHED", "TITLE", "MODEL"]
    for style, row in zip(STYLES.values(), rows, strict=True):
        fetched = "yes" if style.name == "sketch" else "no"
        assert row.split() == [style.name, fetched, *style.title.split(), style.model_id]


def test_the_demo_model_and_the_way_to_another_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["styles"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert "demo" in last
    assert "dctnet fetch STYLE" in last


def test_a_program_gets_licences_and_sources_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed == [
        {
            "name": style.name,
            "title": style.title,
            "model_id": style.model_id,
            "licence": style.licence,
            "source": style.source,
            "fetched": style.name == "sketch",
        }
        for style in STYLES.values()
    ]
