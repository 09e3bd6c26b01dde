"""Models from a folder or an archive, for machines without a network."""

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from dctnet.models import manifest
from dctnet.models.atomic_dir import replace_dir, staging_dir
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.fetch import FETCHED_FILES, FetchResult, write_once
from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.models.manifest import Manifest
from dctnet.models.pins import Pin
from dctnet.models.styles import STYLES

MAX_FILE_BYTES = 1024**3
"""Largest file that is taken from an archive. The largest of a public model has 6 MB."""

Members = dict[PurePosixPath, tuple[int, Callable[[], IO[bytes]]]]
"""Size and opener of each regular file by its path."""


def fetch_from(
    source: Path, style: str, to: Path, revision: str | None = None, pin: Pin | None = None
) -> FetchResult:
    """Copy a public model from a folder, tar or zip archive into the folder ``to``, atomically.

    The files may be in any one folder of the source. If a manifest lies beside them, they are
    verified against it and it is kept. Raises ModelError with cause and remedy.
    """

    def copy(to: Path) -> None:
        with staging_dir(to) as files:
            _copy(source, files)
            if not (files / manifest.FILE_NAME).is_file():
                _write_manifest(files, style, revision)
            _verify(files, source, style, revision, pin)
            replace_dir(files, to)

    return write_once(copy, style, to, revision, pin)


def _verify(files: Path, source: Path, style: str, revision: str | None, pin: Pin | None) -> None:
    try:
        folder = open_folder(files, pin)
    except ModelError as error:
        raise ModelError(f"{source} is not taken. {error}") from error
    if folder.style != style or revision not in (None, folder.revision):
        raise ModelError(
            f"By its manifest, {source} holds {folder.style} at revision {folder.revision}."
        )


def _copy(source: Path, to: Path) -> None:
    with _members(source) as members:
        folder = _model_folder(members, source)
        for name in (*FETCHED_FILES, manifest.FILE_NAME):
            if folder / name not in members:
                continue
            size, open_member = members[folder / name]
            if size > MAX_FILE_BYTES:
                raise ModelError(
                    f"{name} in {source} has {size} bytes, and at most {MAX_FILE_BYTES} are taken."
                )
            with open_member() as content, (to / name).open("wb") as file:
                shutil.copyfileobj(content, file)


def _model_folder(members: Members, source: Path) -> PurePosixPath:
    """Return the folder that holds a model's files."""
    folders = {path.parent for path in members if path.name == "detector.pb"}
    found = [
        folder for folder in folders if all(folder / name in members for name in REQUIRED_FILES)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ModelError(f"{source} holds {len(found)} models: name the folder of one.")
    raise ModelError(
        f"{source} holds no model: {', '.join(REQUIRED_FILES)} must lie together in a folder of it."
    )


@contextmanager
def _members(source: Path) -> Iterator[Members]:
    try:
        with ExitStack() as stack:
            yield _open_source(source, stack)
    except OSError as error:
        raise ModelError(f"Cannot read {source}: {os_error_reason(error)}.") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise ModelError(f"{source} is a damaged archive: {error}.") from error


def _open_source(source: Path, stack: ExitStack) -> Members:
    if source.is_dir():
        return {
            PurePosixPath(path.relative_to(source)): (path.stat().st_size, _opener(path.open, "rb"))
            for path in source.rglob("*")
            if path.is_file()
        }
    if zipfile.is_zipfile(source):
        archive = stack.enter_context(zipfile.ZipFile(source))
        return {
            PurePosixPath(member.filename): (member.file_size, _opener(archive.open, member))
            for member in archive.infolist()
            if not member.is_dir()
        }
    if tarfile.is_tarfile(source):
        tar = stack.enter_context(tarfile.open(source))  # noqa: SIM115
        return {
            PurePosixPath(member.name): (member.size, _opener(tar.extractfile, member))
            for member in tar
            if member.isreg()
        }
    raise ModelError(f"{source} is neither a folder nor a tar or zip archive.")


def _opener(open_member: Callable[[Any], IO[bytes] | None], member: Any) -> Callable[[], IO[bytes]]:
    return lambda: cast("IO[bytes]", open_member(member))


def _write_manifest(files: Path, style: str, revision: str | None) -> None:
    records = {path.name: manifest.record_file(path) for path in files.iterdir()}
    manifest.write(files, Manifest(style, STYLES[style].model_id, revision or "", records))
