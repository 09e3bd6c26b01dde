"""Ways to replace a file at its path after verification."""

from pathlib import Path

OTHER = b"other content"


def _replace(path: Path) -> None:
    path.unlink()
    path.write_bytes(OTHER)


def _link_elsewhere(path: Path) -> None:
    path.unlink()
    path.with_name("other").write_bytes(OTHER)
    path.symlink_to("other")


SWAPS = [_replace, _link_elsewhere, Path.unlink]
