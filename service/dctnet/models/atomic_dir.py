"""Folders that appear whole or not at all, of several processes by one."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dctnet.models.errors import ModelError, reason


@contextmanager
def exclusive(place: Path, option: str) -> Iterator[None]:
    """Let no other process make the folder ``place`` meanwhile, and wait for one that does.

    Makes the folder around it. Raises ModelError where something cannot be written, also within;
    ``option`` is the one of the command by which another place is chosen.
    """
    try:
        with _lock(place):
            yield
    except OSError as error:
        raise ModelError(
            f"Cannot write {error.filename or place}: {reason(error)}. Put that right and run the"
            f" command again, or choose another folder with {option}."
        ) from error


@contextmanager
def _lock(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    # The file stays: to remove it would let two processes lock two files of the same name.
    with (place.parent / f".{place.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def staging(place: Path) -> Iterator[Path]:
    """Make an empty folder beside ``place``, and remove what is left of it in the end."""
    folder = place.parent / f".{place.name}.new"
    shutil.rmtree(folder, ignore_errors=True)  # Of a process that was killed.
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace_dir(folder: Path, place: Path) -> None:
    """Rename a folder to ``place``, with its files on the disk, and remove what was there.

    After a crash the old or the new one is in the place, or the old one beside it; raises OSError.
    """
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)
    old = place.parent / f".{place.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    try:
        folder.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    _sync(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
