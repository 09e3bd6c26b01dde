"""Open files of a model folder: the files that are loaded are the files that were verified.

A path may point to another file later, and a file may change in place. Each file is therefore
opened once, at verification. Later reads use its descriptor and check the checksum again.
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
    """A file to load: a path or an open file of a model folder. ``str`` gives its path."""

    def read_bytes(self) -> bytes:
        """Return the content; raise OSError or ModelError."""
        ...

    def with_suffix(self, suffix: str, /) -> Self:
        """Return the file of the same name with another suffix, such as ``.npz``."""
        ...


class Files(Protocol):
    """Files by name: a dictionary of paths or the open files of a model folder."""

    def __contains__(self, name: object, /) -> bool: ...

    def __getitem__(self, name: str, /) -> Readable: ...


class OpenFiles:
    """Descriptors and checksums of a folder's files by name; forked processes share them."""

    def __init__(
        self, folder: Path = Path(), names: Iterable[str] = (), *, common: Path | None = None
    ) -> None:
        """Open the named files of a folder, those it lacks in ``common``; raise OSError."""
        self.folder = folder
        self._common = common
        self._open: dict[str, tuple[int, FileRecord]] = {}
        for name in names:
            self.open(name)

    def open(self, name: str) -> FileRecord:
        """Open a regular file, follow symbolic links, return its record; raise OSError."""
        path = self.folder / name
        if self._common is not None and not path.exists():
            path = self._common / name
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

    @property
    def records(self) -> dict[str, FileRecord]:
        """Size and checksum of every open file."""
        return {name: record for name, (_, record) in self._open.items()}

    def close(self, name: str) -> None:
        """Close a file and remove it."""
        descriptor, _ = self._open.pop(name)
        os.close(descriptor)

    def read(self, name: str) -> bytes:
        """Return a file's content, the same as when it was opened.

        Raises FileNotFoundError if it is not open, ModelError if it was changed in place.
        """
        path = self.folder / name
        if name not in self._open:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path))
        descriptor, record = self._open[name]
        chunks: list[bytes] = []
        offset = 0
        # Read one byte more than expected, to detect a file that has grown.
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
    """One file of an `OpenFiles`; it need not exist."""

    files: OpenFiles
    name: str

    def read_bytes(self) -> bytes:
        """Return the verified content; raise FileNotFoundError, OSError or ModelError."""
        return self.files.read(self.name)

    def with_suffix(self, suffix: str, /) -> "OpenFile":
        """Return the file of the same name with another suffix."""
        return self.files[str(Path(self.name).with_suffix(suffix))]

    def __str__(self) -> str:
        return str(self.files.folder / self.name)
