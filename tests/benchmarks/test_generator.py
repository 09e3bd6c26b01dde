"""Generator benchmark: measured engines, equal output, and the note on MNN."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import report
from benchmarks.generator import REFERENCE, available_engines, require_same_output

LOCKED = ["ONNX Runtime", REFERENCE, "TensorFlow without oneDNN"]


class ConstantMeasurements(dict):
    """One second for every measurement."""

    def __missing__(self, key: tuple[object, ...]) -> list[float]:
        return [1.0]


@pytest.fixture
def without_mnn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MNN", None)


@pytest.fixture
def with_mnn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delitem(sys.modules, "MNN", raising=False)
    (tmp_path / "MNN.py").touch()
    information = tmp_path / "MNN-9.8.7.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: MNN\nVersion: 9.8.7\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def _names(upstream: Path) -> list[str]:
    return [spec.name for spec in available_engines(upstream, [])]


def _page(path: Path, engines: list[str]) -> str:
    report.write(path, ConstantMeasurements(), engines, ["512x512"], [])
    return path.read_text()


@pytest.mark.usefixtures("without_mnn")
def test_page_says_how_to_install_missing_mnn(tmp_path):
    assert _names(tmp_path) == LOCKED
    text = _page(tmp_path / "report.md", LOCKED)
    assert "\nMNN was not measured: " in text
    assert "`.venv/bin/pip install MNN`" in text


@pytest.mark.usefixtures("with_mnn")
def test_installed_mnn_is_measured(tmp_path):
    names = _names(tmp_path)
    assert names == ["ONNX Runtime", "MNN", *LOCKED[1:]]
    text = _page(tmp_path / "report.md", names)
    assert "MNN 9.8.7 " in text
    assert "not measured" not in text


@pytest.mark.parametrize("levels", [1, 2])
def test_output_tolerance_is_one_level(levels):
    expected = np.full((16, 16, 3), 9, np.uint8)
    actual = expected.copy()
    actual[3, 4, 1] -= levels
    engines = {(REFERENCE, 1): lambda *_: expected, ("other", 2): lambda *_: actual}
    if levels == 1:
        require_same_output(engines, "16x16")
        return
    with pytest.raises(SystemExit, match="other, 2 threads: 2 levels"):
        require_same_output(engines, "16x16")
