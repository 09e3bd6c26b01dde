import json
from pathlib import Path

import pytest

from dctnet.cli import main
from dctnet.config import MIB
from dctnet.models.styles import SHIPPED_STYLES, STYLES


@pytest.fixture(autouse=True)
def _two_fetched_styles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("DCTNET_STYLE_DIGESTS", f"3d={'1' * 64}")
    for folder in ("3d", "3d-converted", "sketch", "comic"):
        (tmp_path / folder).mkdir()


INSTALLED = {"3d": "fetched", "sketch": "fetched", "comic": "shipped", "poster": "shipped"}
CONVERTED = {"3d", "comic", "poster"}


def test_table_lists_every_style_once(capsys):
    assert main(["styles"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["STYLE", "INSTALLED", "CONVERTED", "PINNED", "TITLE", "MODEL"]
    names = list(dict.fromkeys((*STYLES, *SHIPPED_STYLES)))
    for name, row in zip(names, rows, strict=False):
        converted, pinned = (
            "yes" if named else "no" for named in (name in CONVERTED, name == "3d")
        )
        cells = [name, INSTALLED.get(name, "no"), converted, pinned]
        assert row.split()[:4] == cells
    assert rows[len(names)] == ""
    assert "at most 15 MiB per style, and 90 MiB more" in rows[-2]
    assert "`dctnet prepare STYLE` converts it" in rows[-1]


def test_json_includes_licences_and_sources(capsys):
    assert main(["styles", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["3d"] == {
        "name": "3d",
        "title": STYLES["3d"].title,
        "model_id": STYLES["3d"].model_id,
        "licence": STYLES["3d"].licence,
        "source": STYLES["3d"].source,
        "installed": "fetched",
        "converted": True,
        "pinned": True,
        "memory_bytes": 15 * MIB,
        "hot_memory_bytes": 105 * MIB,
    }
    assert listed["poster"]["installed"] == "shipped"
    assert listed["anime"]["installed"] is None
