from pathlib import Path

import pytest

from dctnet.cli import main
from dctnet.models import manifest
from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.models.manifest import Manifest


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def model(models: Path) -> Path:
    path = models / "sketch"
    path.mkdir()
    for name in REQUIRED_FILES:
        (path / name).write_bytes(f"contents of {name}".encode())
    files = {name: manifest.record_file(path / name) for name in REQUIRED_FILES}
    manifest.write(path, Manifest("sketch", "iic/some-model", "v1.0", files))
    return path


def digest_of(model: Path) -> str:
    return manifest.digest((model / "manifest.json").read_bytes())


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a verification that must fail; return its error line."""
    assert main(["verify", *arguments]) == 1
    message = capsys.readouterr()
    assert message.out == ""
    (line,) = message.err.splitlines()
    return line


@pytest.mark.parametrize("called", ["its path", "its style"])
def test_intact_model_is_verified(model, capsys, called):
    assert main(["verify", str(model) if called == "its path" else "sketch"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{model} is verified: sketch, iic/some-model at revision v1.0",
        f"Digest of the upstream files: source:sha256:{open_folder(model).source_digest}",
        "Digest of the manifest:",
        digest_of(model),
    ]


def test_revision_is_omitted_if_empty(model, capsys):
    files = {name: manifest.record_file(model / name) for name in REQUIRED_FILES}
    manifest.write(model, Manifest("mine", "mine", "", files))
    assert main(["verify", str(model)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{model} is verified: mine, mine"


@pytest.mark.parametrize("spelling", ["{}", "sha256:{}"])
def test_expected_digest_is_accepted(model, capsys, spelling):
    digest = spelling.format(digest_of(model).upper())
    assert main(["verify", str(model), "--digest", digest]) == 0
    assert "The manifest has the expected digest" in capsys.readouterr().out


@pytest.mark.parametrize("has_manifest", [True, False])
def test_expected_source_digest_is_accepted(model, capsys, has_manifest):
    if not has_manifest:
        (model / "manifest.json").unlink()
    pin = f"source:sha256:{open_folder(model).source_digest}"
    assert main(["verify", str(model), "--digest", pin]) == 0
    assert f"The upstream files have the expected digest: {pin}" in capsys.readouterr().out


def test_unexpected_digest_is_rejected(model, capsys):
    message = complaint(capsys, str(model), "--digest", "0" * 64)
    assert f"has the digest {digest_of(model)}, but {'0' * 64} is expected" in message


def test_malformed_digest_is_a_usage_error(model, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(model), "--digest", "0" * 63])
    assert stopped.value.code == 2
    assert "is not a sha256 of 64 hexadecimal digits" in capsys.readouterr().err


def test_model_error_is_one_line(models, model, capsys):
    """`test_models_folder.py` covers all errors."""
    assert complaint(capsys, str(models / "gone")).endswith(f"no model folder {models / 'gone'}.")
    (model / "alpha.jpg").unlink()
    message = complaint(capsys, str(model))
    assert message == f"dctnet: The model file {model / 'alpha.jpg'} is missing."


def test_folder_without_manifest_cannot_be_verified(model, capsys):
    (model / "manifest.json").unlink()
    message = complaint(capsys, str(model))
    assert "no manifest, so it cannot be verified" in message
    assert message.endswith(f" source:sha256:{open_folder(model).source_digest}.")
