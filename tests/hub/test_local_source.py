"""``dctnet fetch --from``: a model from a folder or an archive, without a network."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from dctnet.cli import main
from dctnet.models import local_source, manifest
from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.models.manifest import Manifest, record_file

CONTENT = {name: f"content of {name}".encode() for name in (*REQUIRED_FILES, "README.md")}


@pytest.fixture(autouse=True)
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def write_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    (folder / "demo.png").write_bytes(b"left alone")
    return folder


def as_folder(folder: Path) -> Path:
    return folder


def as_tar(folder: Path) -> Path:
    path = folder.with_suffix(".tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "some/where")
    return path


def as_zip(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return path


def error_line(captured: pytest.CaptureFixture[str], source: Path, style: str = "anime") -> str:
    assert main(["fetch", style, "--from", str(source)]) == 1
    out, err = captured.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line.removeprefix("dctnet: ")


@pytest.mark.parametrize("packed", [as_folder, as_tar, as_zip])
def test_model_is_copied_with_a_manifest(tmp_path, models_dir, capsys, packed):
    source = packed(write_model(tmp_path / "source"))
    assert main(["fetch", "anime", "--from", str(source), "--revision", "v1.0.0"]) == 0
    folder = open_folder(models_dir / "anime")
    assert capsys.readouterr().out.splitlines()[-1] == f"source:sha256:{folder.source_digest}"
    assert (folder.style, folder.revision, folder.integrity) == ("anime", "v1.0.0", "unpinned")
    copied = {path.name for path in folder.path.iterdir()}
    assert copied == {*CONTENT, "manifest.json"}
    assert all((folder.path / name).read_bytes() == content for name, content in CONTENT.items())
    assert {path.name for path in models_dir.iterdir()} == {"anime", ".anime.lock"}


def test_manifest_beside_the_files_is_verified_and_kept(tmp_path, models_dir, capsys):
    source = write_model(tmp_path / "source")
    files = {name: record_file(source / name) for name in CONTENT}
    digest = manifest.write(source, Manifest("anime", "iic/anime", "v1.0.0", files))
    assert main(["fetch", "anime", "--from", str(as_tar(source))]) == 0
    assert open_folder(models_dir / "anime").digest == digest
    capsys.readouterr()
    (models_dir / "anime").rename(models_dir / "elsewhere")

    assert "holds anime at revision v1.0.0" in error_line(capsys, source, "sketch")
    (source / "detector.pb").write_bytes(b"Content of detector.pb")
    assert "does not match the manifest" in error_line(capsys, source)
    assert not (models_dir / "anime").exists()


def test_source_without_one_complete_model_is_rejected(tmp_path, capsys):
    source = write_model(tmp_path / "source" / "model")
    (source / "keypoints.pb").unlink()
    assert "holds no model: alpha.jpg, cartoon_bg.pb," in error_line(capsys, source)
    assert "holds no model" in error_line(capsys, as_tar(source))
    write_model(tmp_path / "two" / "models")
    write_model(tmp_path / "two" / "of" / "them")
    assert "holds 2 models: name the folder of one" in error_line(capsys, tmp_path / "two")
    assert "Cannot read " in error_line(capsys, tmp_path / "missing")
    (tmp_path / "letter.txt").write_text("no archive")
    assert "neither a folder nor a tar or zip" in error_line(capsys, tmp_path / "letter.txt")


def test_truncated_archive_is_rejected(tmp_path, capsys):
    archive = as_tar(write_model(tmp_path / "source"))
    archive.write_bytes(archive.read_bytes()[:-20])
    assert "damaged archive" in error_line(capsys, archive)


@pytest.mark.parametrize("excess", [0, 1])
def test_size_of_a_file_is_limited(tmp_path, capsys, monkeypatch, excess):
    largest = max(len(content) for content in CONTENT.values())
    monkeypatch.setattr(local_source, "MAX_FILE_BYTES", largest - excess)
    source = as_zip(write_model(tmp_path / "source"))
    if excess:
        assert f"at most {largest - 1} are taken" in error_line(capsys, source)
    else:
        assert main(["fetch", "anime", "--from", str(source)]) == 0


def test_links_and_paths_outside_the_archive_are_not_followed(tmp_path, capsys):
    path = tmp_path / "hostile.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in CONTENT.items():
            member = tarfile.TarInfo(f"../../model/{name}")
            member.size = len(content)
            if name == "keypoints.pb":
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
            archive.addfile(member, io.BytesIO(content))
    assert "holds no model" in error_line(capsys, path)
