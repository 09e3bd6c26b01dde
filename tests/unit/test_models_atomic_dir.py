"""Atomic directory creation."""

import fcntl
import os
from pathlib import Path

import pytest

from dctnet.models.atomic_dir import exclusive_lock, replace_dir, staging_dir


def a_folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "file").write_text(content)
    return path


def names(path: Path) -> list[str]:
    return sorted(child.name for child in path.iterdir())


@pytest.mark.parametrize("replaces", [False, True])
def test_replace_dir_replaces_the_target(tmp_path, replaces):
    if replaces:
        a_folder(tmp_path / "folder", "old")
    replace_dir(a_folder(tmp_path / "new", "new"), tmp_path / "folder")
    assert names(tmp_path) == ["folder"]
    assert (tmp_path / "folder" / "file").read_text() == "new"


def test_failed_replacement_restores_the_old_folder(tmp_path, monkeypatch):
    a_folder(tmp_path / "folder", "old")
    new = a_folder(tmp_path / "new", "new")
    rename = Path.rename

    def reject(path: Path, target: Path) -> Path:
        if path == new:
            raise OSError(28, os.strerror(28))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", reject)
    with pytest.raises(OSError, match="No space"):
        replace_dir(new, tmp_path / "folder")
    assert (tmp_path / "folder" / "file").read_text() == "old"


def test_leftover_staging_folder_is_deleted(tmp_path):
    a_folder(tmp_path / ".folder.new", "of a process that was killed")
    with staging_dir(tmp_path / "folder") as folder:
        assert names(folder) == []
        (folder / "half").touch()
    assert names(tmp_path) == []


def test_second_process_waits_for_the_lock(tmp_path):
    folder = tmp_path / "not" / "there yet" / "folder"
    with (
        exclusive_lock(folder, "--to"),
        (folder.parent / ".folder.lock").open("w") as other,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (folder.parent / ".folder.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
