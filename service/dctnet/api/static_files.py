"""``GET /static/…``: what the page needs, at static_paths that change with the content."""

import hashlib
import mimetypes
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from flask import Response, abort, send_file

FOLDER = Path(__file__).parent / "static"
YEAR_S = 365 * 24 * 60 * 60
DIGEST_LENGTH = 16
"""How many hexadecimal digits of the contents' sha256 an address has."""


def static_paths() -> dict[str, str]:
    """Return where each file is served below ``/static/``, such as ``0123456789abcdef/main.css``.

    All are in one folder that is named after all contents, so that a module finds the others by
    the names that are written in it.
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
    """Make the view function, which opens no file: there may be no descriptor left for one."""
    files = {
        path: ((FOLDER / name).read_bytes(), mimetypes.guess_type(name)[0])
        for name, path in static_paths().items()
    }

    def static_file(path: str) -> Response:
        if path not in files:  # Of another release, which a cache or another replica may have.
            abort(404)
        content, media_type = files[path]
        response = send_file(
            BytesIO(content),
            mimetype=media_type,
            download_name=Path(path).name,
            max_age=YEAR_S,
            etag=path,  # It changes with the content, as a checksum does.
        )
        response.cache_control.public = True
        response.cache_control.immutable = True
        return response

    return static_file
