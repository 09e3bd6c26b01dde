import json
from pathlib import Path

import pytest

from dctnet.cli import main
from dctnet.models.styles import STYLES


@pytest.fixture(autouse=True)
def _one_fetched_style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(tmp_path))
    (tmp_path / "sketch").mkdir()


def test_table_lists_styles_and_fetch_state(capsys):
    assert main(["styles"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["STYLE", "FETCHED", "TITLE", "MODEL"]
    for style, row in zip(STYLES.values(), rows, strict=False):
        fetched = "yes" if style.name == "sketch" else "no"
        assert row.split() == [style.name, fetched, *style.title.split(), style.model_id]
    assert "demo" in rows[-1]
    assert "dctnet fetch STYLE" in rows[-1]


def test_json_includes_licences_and_sources(capsys):
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
