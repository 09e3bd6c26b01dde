"""Open files of a model folder: what is loaded is what was verified.

A path can lead to another file a moment later, and a file can be changed in place. So each file is
opened once, when the folder is verified; later reads go through its descriptor, and are compared
with the checksum of then.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path
from typing import Protocol, Self

from dctnet.models import manifest
from dctnet.models.errors import ModelError
from dctnet.models.manifest import FileRecord


class Readable(Protocol):
    """A file to load: a path, or an open file of a model folder. Its text is its path."""

    def read_bytes(self) -> bytes:
        """Return its content; raise OSError or ModelError."""
        ...

    def with_suffix(self, suffix: str, /) -> Self:
        """Return the file of the same name with another suffix, such as ``.npz``."""
        ...


class Files(Protocol):
    """Files by name: a dictionary of paths, or the open files of a model folder."""

    def __contains__(self, name: object, /) -> bool: ...

    def __getitem__(self, name: str, /) -> Readable: ...


class OpenFiles:
    """Descriptors and checksums of a folder's files, by name. Forked processes share them."""

    def __init__(self, folder: Path = Path(), names: Iterable[str] = ()) -> None:
        """Open these files of a folder; raises OSError."""
        self.folder = folder
        self._open: dict[str, tuple[int, FileRecord]] = {}
        for name in names:
            self.open(name)

    def open(self, name: str) -> FileRecord:
        """Open a regular file, through symbolic links, and return its checksum; raises OSError."""
        path = self.folder / name
        # Opening a FIFO would block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path))
            with open(descriptor, "rb", closefd=False) as file:
                record = manifest.record_open_file(file)
        except BaseException:
            os.close(descriptor)
            raise
        self._open[name] = descriptor, record
        return record

    def close(self, name: str) -> None:
        """Forget a file."""
        descriptor, _ = self._open.pop(name)
        os.close(descriptor)

    def read(self, name: str) -> bytes:
        """Return a file's content as it was when it was opened.

        Raises FileNotFoundError where it was not opened, ModelError where it was changed in place.
        """
        path = self.folder / name
        if name not in self._open:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path))
        descriptor, record = self._open[name]
        chunks: list[bytes] = []
        offset = 0
        # One byte more than expected, so that a file that has grown is found out.
        while chunk := os.pread(descriptor, record.size + 1 - offset, offset):
            chunks.append(chunk)
            offset += len(chunk)
        content = b"".join(chunks)
        if FileRecord(hashlib.sha256(content).hexdigest(), len(content)) != record:
            raise ModelError(f"The model file {path} has changed since it was opened.")
        return content

    def __contains__(self, name: object) -> bool:
        return name in self._open

    def __getitem__(self, name: str) -> "OpenFile":
        return OpenFile(self, name)

    def __del__(self) -> None:
        for descriptor, _ in self._open.values():
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class OpenFile:
    """One of the open files of a folder, which need not be there."""

    files: OpenFiles
    name: str

    def read_bytes(self) -> bytes:
        """Return the content that was verified; raises FileNotFoundError, OSError, ModelError."""
        return self.files.read(self.name)

    def with_suffix(self, suffix: str, /) -> "OpenFile":
        """Return the file beside it that differs in the suffix alone."""
        return self.files[str(Path(self.name).with_suffix(suffix))]

    def __str__(self) -> str:
        return str(self.files.folder / self.name)
