"""``GET /static/PATH``: static files of the web UI, under content-hashed paths."""

import hashlib
import mimetypes
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from flask import Response, abort, send_file

FOLDER = Path(__file__).parent / "static"
YEAR_S = 365 * 24 * 60 * 60
DIGEST_LENGTH = 16
"""Hexadecimal digits of the SHA-256 digest in a path."""


def static_paths() -> dict[str, str]:
    """Return each file's path below ``/static/``: ``0123456789abcdef/main.css``.

    All files share one prefix, the digest of all contents, so that relative imports between
    modules work.
    """
    digest = hashlib.sha256()
    for name in _file_names():
        content = (FOLDER / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    prefix = digest.hexdigest()[:DIGEST_LENGTH]
    return {name: f"{prefix}/{name}" for name in _file_names()}


def _file_names() -> list[str]:
    return sorted(p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file())


def static_files_view() -> Callable[[str], Response]:
    """Make the view function, which serves from memory and needs no file descriptor."""
    files = {
        path: ((FOLDER / name).read_bytes(), mimetypes.guess_type(name)[0])
        for name, path in static_paths().items()
    }

    def static_file(path: str) -> Response:
        if path not in files:  # Perhaps a file of another release, linked from a cached page.
            abort(404)
        content, media_type = files[path]
        response = send_file(
            BytesIO(content),
            mimetype=media_type,
            download_name=Path(path).name,
            max_age=YEAR_S,
            etag=path,  # The path changes with the content.
        )
        response.cache_control.public = True
        response.cache_control.immutable = True
        return response

    return static_file
