"""Atomic directory creation, serialized between processes."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dctnet.models.errors import ModelError, os_error_reason


@contextmanager
def exclusive_lock(target: Path, option: str) -> Iterator[None]:
    """Hold the lock for creating the folder ``target``; wait for a process that holds it.

    Creates the parent folder. Turns an OSError, also of the body, into a ModelError, which names
    ``option``, the command's option for another folder.
    """
    try:
        with _lock(target):
            yield
    except OSError as error:
        raise ModelError(
            f"Cannot write {error.filename or target}: {os_error_reason(error)}. Fix this"
            f" and run the command again, or choose another folder with {option}."
        ) from error


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    # The lock file stays: if it were removed, two processes could lock two files of one name.
    with (target.parent / f".{target.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def staging_dir(target: Path) -> Iterator[Path]:
    """Create an empty folder beside ``target``, and delete it on exit if it still exists."""
    folder = target.parent / f".{target.name}.new"
    shutil.rmtree(folder, ignore_errors=True)  # Left by a killed process.
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace_dir(folder: Path, target: Path) -> None:
    """Sync a folder to disk, rename it to ``target``, and delete what was there.

    After a crash, ``target`` is the old or the new folder, or the old one lies beside it. Raises
    OSError.
    """
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)
    old = target.parent / f".{target.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    _sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
