"""A folder as Kubernetes mounts a Secret: each file is a link through ``..data``."""

import shutil
from itertools import count
from pathlib import Path


class MountedSecret:
    """A Secret with one file; ``change`` swaps it as the kubelet does."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        self._folder, self._name = folder, name
        self._versions = map("..version_{}".format, count())
        folder.mkdir()
        self.change(text)
        self.path = folder / name
        self.path.symlink_to(f"..data/{name}")

    def change(self, text: str) -> None:
        """Write a new folder, rename a link to it over ``..data``, and remove the old folder."""
        data = self._folder / "..data"
        old = data.resolve() if data.exists() else None
        new = self._folder / next(self._versions)
        new.mkdir()
        (new / self._name).write_text(text)
        link = self._folder / "..data_tmp"
        link.symlink_to(new.name)
        link.rename(data)
        if old is not None:
            shutil.rmtree(old)
