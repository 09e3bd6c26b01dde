"""Generator benchmark: measured engines, differences, instruction sets, optional engines."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import report
from benchmarks.engines import Engine
from benchmarks.generator import (
    DEFAULT_PRECISION,
    REFERENCE,
    available_engines,
    copy_converted,
    require_same_output,
)
from dctnet.runtimes import native_library

LOCKED = ["ONNX Runtime", REFERENCE, "TensorFlow without oneDNN"]


class ConstantMeasurements(dict):
    """One second for every measurement."""

    def __missing__(self, key: tuple[object, ...]) -> list[float]:
        return [1.0]


@pytest.fixture(autouse=True)
def without_optional_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("MNN", "openvino"):
        monkeypatch.setitem(sys.modules, package, None)


def _install(package: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, package)
    (folder / f"{package}.py").touch()
    information = folder / f"{package}-9.8.7.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 9.8.7\n"
    )
    monkeypatch.syspath_prepend(str(folder))


def _names(upstream: Path) -> list[str]:
    return [spec.name for spec in available_engines(upstream, [])]


def _page(path: Path, engines: list[str], **measured: list[float]) -> str:
    measurements = ConstantMeasurements()
    for name in engines:
        for threads in report.THREADS:
            for figure, values in measured.items():
                measurements[figure.replace("_", " "), name, threads] = values
    instruction_sets = {name: f"set of {name}" for name in [*engines, "sgemm"]}
    report.write(path, measurements, instruction_sets, ["512x512"], [])
    return path.read_text()


@pytest.mark.parametrize(
    ("library", "requirement"), [("MNN", "MNN"), ("OpenVINO", "--no-deps openvino")]
)
def test_page_says_how_to_install_missing_engines(library, requirement, tmp_path):
    assert _names(tmp_path) == LOCKED
    text = _page(tmp_path / "report.md", LOCKED)
    assert f"\n{library} was not measured: " in text
    assert f"`.venv/bin/pip install {requirement}`" in text


@pytest.mark.parametrize(
    ("package", "library", "engines"),
    [
        ("MNN", "MNN", ["MNN"]),
        ("openvino", "OpenVINO", ["OpenVINO float32", DEFAULT_PRECISION]),
    ],
)
def test_installed_engines_are_measured(package, library, engines, tmp_path, monkeypatch):
    _install(package, tmp_path, monkeypatch)
    names = _names(tmp_path)
    assert names == ["ONNX Runtime", *engines, *LOCKED[1:]]
    text = _page(tmp_path / "report.md", names)
    assert f"\n{library} 9.8.7 " in text
    assert f"{library} was not measured" not in text


def test_fastest_variant_of_another_checkout_is_measured(tmp_path):
    fastest = native_library.select_variant()
    specs = list(available_engines(tmp_path, [fastest], tmp_path / "old"))
    names = [f"native {fastest}", f"native {fastest} before", *LOCKED]
    assert [spec.name for spec in specs] == names
    old = [f"{tmp_path}/old/service", f"{tmp_path}/old"]
    assert [spec.import_paths for spec in specs] == [[], old, [], [], []]


def test_page_says_seconds_relative_to_the_first_engine(tmp_path):
    path = tmp_path / "report.md"
    measurements = ConstantMeasurements({("seconds", REFERENCE, 2, "512x512"): [3.14]})
    sets = dict.fromkeys([*LOCKED, "sgemm"], "any")
    report.write(path, measurements, sets, ["512x512"], [])
    text = path.read_text()
    assert "Seconds of the other engines relative to ONNX Runtime:" in text
    assert "\n| 512×512 | 2 | 3.14 | 1.00 |\n" in text


def test_page_says_instruction_sets_and_differences(tmp_path):
    text = _page(tmp_path / "report.md", LOCKED, beyond_a_level=[0.25], levels=[12.0])
    for name in LOCKED:
        assert f"\n| {name} | set of {name} | 25.00% | 12 |\n" in text
    assert "`sgemm`: set of sgemm." in text


def test_onnx_runtime_computes_the_shipped_comic(tmp_path):
    copy_converted(tmp_path)
    spec = next(iter(available_engines(tmp_path, [])))
    assert spec.name == "ONNX Runtime"
    output = Engine(spec.runtime, spec.path, 1).generate("16x24")
    assert output.shape == (16, 24, 3)
    assert output.std() > 0


@pytest.mark.parametrize("levels", [1, 2])
def test_output_tolerance_is_one_level(levels):
    expected = np.full((16, 16, 3), 9, np.uint8)
    actual = expected.copy()
    actual[3, 4, 1] -= levels
    engines = {(REFERENCE, 1): lambda *_: expected, ("other", 2): lambda *_: actual}
    if levels == 1:
        assert require_same_output(engines, "16x16")["levels", "other", 2] == [1]
        return
    with pytest.raises(SystemExit, match="other, 2 threads: 2 levels"):
        require_same_output(engines, "16x16")


def test_default_precision_is_measured_beyond_the_tolerance():
    expected = np.full((4, 5, 3), 9, np.uint8)
    actual = expected.copy()
    actual[0, 0] = 9, 10, 4
    actual[1, 0, 0] = 16
    engines = {(REFERENCE, 1): lambda *_: expected, (DEFAULT_PRECISION, 2): lambda *_: actual}
    measurements = require_same_output(engines, "4x5")
    assert measurements["levels", DEFAULT_PRECISION, 2] == [7]
    assert measurements["beyond a level", DEFAULT_PRECISION, 2] == [pytest.approx(2 / 60)]
    assert measurements["beyond a level", REFERENCE, 1] == [0]
