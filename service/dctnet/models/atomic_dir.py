"""Folders that appear whole or not at all, of several processes by one."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dctnet.models.errors import ModelError, os_error_reason


@contextmanager
def exclusive_lock(target: Path, option: str) -> Iterator[None]:
    """Let no other process make the folder ``target`` meanwhile, and wait for one that does.

    Makes the folder around it. Raises ModelError where something cannot be written, also within;
    ``option`` is the one of the command by which another place is chosen.
    """
    try:
        with _lock(target):
            yield
    except OSError as error:
        raise ModelError(
            f"Cannot write {error.filename or target}: {os_error_reason(error)}. Put that right"
            f" and run the command again, or choose another folder with {option}."
        ) from error


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    # The file stays: to remove it would let two processes lock two files of the same name.
    with (target.parent / f".{target.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def staging_dir(target: Path) -> Iterator[Path]:
    """Make an empty folder beside ``target``, and remove what is left of it in the end."""
    folder = target.parent / f".{target.name}.new"
    shutil.rmtree(folder, ignore_errors=True)  # Of a process that was killed.
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace_dir(folder: Path, target: Path) -> None:
    """Rename a folder to ``target``, with its files on the disk, and remove what was there.

    After a crash the old or the new one is in the place, or the old one beside it; raises OSError.
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
