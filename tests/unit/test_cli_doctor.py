"""``dctnet doctor``."""

import json
import socket
from typing import Any

import pytest

from dctnet import __version__
from dctnet.cli import main
from dctnet.cli.doctor import cpu_features
from dctnet.cpus import available_cpus
from dctnet.models.folder import open_folder
from dctnet.runtimes import selection
from tests.support.heic_samples import needs_decoder
from tests.support.shipped import COMIC, copy_shipped
from tests.support.tiny_model import NEGATIVE

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped comic with other networks."""
    monkeypatch.setenv("DCTNET_STYLES", "comic")
    monkeypatch.setattr(selection.NetworkLoader, "load", lambda *_: NEGATIVE)


def report(captured: Captured) -> dict[str, Any]:
    out, err = captured.readouterr()
    assert err == ""
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_full_report_as_json_and_text(capsys):
    assert main(["doctor", "--json"]) == 0
    found = report(capsys)
    assert found["healthy"] is True
    assert found["versions"]["dctnet"] == __version__
    assert found["versions"]["tensorflow"].startswith("2.")
    assert found["cpu"]["cpus"] == available_cpus()
    assert found["cpu"]["threads"] == max(1, int(available_cpus()))
    comic = found["styles"]["comic"]
    assert comic["path"] == str(COMIC)
    assert comic["model"] == "comic"
    assert len(comic["digest"]) == 64
    assert comic["integrity"] == "unpinned"
    assert comic["runtime_selection"] == selection.explain(open_folder(COMIC))
    assert found["inference"]["size"] == "512x512"
    assert 0 <= found["inference"]["seconds"] < 60
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for line in (
        "versions: ok",
        "styles: ok",
        f"    path: {COMIC}",
        "inference: ok",
        "  seconds: ",
    ):
        assert line in out
    assert "FAILED" not in out


def test_missing_model_fails_and_other_checks_are_reported(capsys, monkeypatch):
    monkeypatch.setenv("DCTNET_STYLES", "/none")
    assert main(["doctor", "--json"]) == 1
    found = report(capsys)
    assert found["healthy"] is False
    assert found["styles"] == {"error": "There is no model folder /none."}
    assert found["inference"] == {"error": "There is no model folder /none."}
    assert found["versions"]["dctnet"] == __version__


def test_damaged_model_fails_in_text_output(capsys, tmp_path, monkeypatch):
    weights = copy_shipped(tmp_path / "damaged") / "cartoon_bg.npz"
    weights.write_bytes(weights.read_bytes()[:-1])
    monkeypatch.setenv("DCTNET_STYLES", str(weights.parent))
    assert main(["doctor"]) == 1
    assert "styles: FAILED\n  error: " in capsys.readouterr().out


def test_address_in_use_is_reported_without_failure(capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("DCTNET_BIND", f"127.0.0.1:{server.getsockname()[1]}")
        assert main(["doctor", "--json"]) == 0
    address = report(capsys)["address"]
    assert address["free"] is False
    assert address["reason"] == "Address already in use"


@pytest.mark.parametrize(
    ("cpuinfo", "features"),
    [
        ("cpu family: 6\nflags\t\t: fpu sse4_1 avx avx2 fma\n", ["sse4_1", "avx", "avx2", "fma"]),
        ("BogoMIPS: 50.00\nFeatures\t: fp asimd crc32\n", ["asimd"]),
        ("model name: avx\n", []),
    ],
)
def test_cpu_features_are_read_on_both_architectures(tmp_path, cpuinfo, features):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert cpu_features(tmp_path / "cpuinfo") == features


def test_cpu_features_are_empty_without_cpuinfo(tmp_path):
    assert cpu_features(tmp_path / "none") == []


@needs_decoder
def test_heic_is_on(capsys, monkeypatch):
    monkeypatch.setenv("DCTNET_HEIC", "on")
    assert main(["doctor", "--json"]) == 0
    assert report(capsys)["versions"]["pi-heif"].startswith("1.")
