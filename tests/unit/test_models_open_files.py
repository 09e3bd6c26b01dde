"""Open files of a model folder: later reads return the verified content or an error."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import pytest

from dctnet.models.errors import ModelError
from dctnet.models.manifest import FileRecord
from dctnet.models.open_files import OpenFiles
from tests.support.file_swaps import SWAPS

CONTENT = b"what was verified"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path / "file"


@pytest.fixture
def files(path: Path) -> OpenFiles:
    return OpenFiles(path.parent, ["file"])


@pytest.mark.parametrize("swap", SWAPS)
def test_changed_path_does_not_affect_open_file(path, files, swap):
    swap(path)
    assert files["file"].read_bytes() == CONTENT
    assert files["file"].read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"!", CONTENT.swapcase()])
def test_file_changed_in_place_is_an_error(path, files, content):
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        files["file"].read_bytes()
    assert str(caught.value) == f"The model file {path} has changed since it was opened."


def test_only_opened_files_are_available(path, files):
    (path.parent / "file.npz").write_bytes(b"not opened")
    assert "file" in files
    assert "file.npz" not in files
    with pytest.raises(FileNotFoundError) as caught:
        files["file"].with_suffix(".npz").read_bytes()
    assert caught.value.filename == str(path.with_suffix(".npz"))


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("none")])
def test_non_regular_file_is_missing_and_does_not_block(tmp_path, make):
    make(tmp_path / "name")
    with pytest.raises(FileNotFoundError):
        OpenFiles(tmp_path, ["name"])


def test_empty_file_is_read(tmp_path):
    (tmp_path / "empty").touch()
    assert OpenFiles(tmp_path, ["empty"])["empty"].read_bytes() == b""


def test_open_returns_size_and_checksum(path):
    record = OpenFiles(path.parent).open("file")
    assert record == FileRecord(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def descriptors(path: Path) -> int:
    """Number of this process's descriptors for a file."""
    opened = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # Others may be closed meanwhile.
            opened += descriptor.samefile(path)
    return opened


def test_descriptors_are_closed_with_the_last_reference(path):
    files = OpenFiles(path.parent, ["file"])
    file = files["file"]
    assert descriptors(path) == 1
    del files
    assert file.read_bytes() == CONTENT
    del file
    assert descriptors(path) == 0


def test_closed_file_is_not_available(files):
    files.close("file")
    assert "file" not in files
