"""Download of public models from the ModelScope hub.

``modelscope_hub``, the hub's own client, resumes and retries downloads and checks the hub's
checksums. This module selects the files, writes the manifest, and creates the folder atomically.
"""

import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING
from urllib.parse import quote

from dctnet.models import manifest
from dctnet.models.atomic_dir import exclusive_lock
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.folder import REQUIRED_FILES, ModelFolder, open_folder
from dctnet.models.manifest import HubReport, Manifest
from dctnet.models.pins import Pin
from dctnet.models.styles import STYLES, PublicStyle

if TYPE_CHECKING:
    from modelscope_hub import HubApi
    from modelscope_hub.types import FileInfo

DEFAULT_REVISION = "master"
"""Branch of the hub on which models are published."""

FETCHED_FILES = (*REQUIRED_FILES, "README.md", "LICENSE")
"""Files to download: the model, and its README and licence if present."""


MAX_ERROR_BYTES = 4096
"""Size of the hub's largest error document."""


@dataclass(frozen=True, slots=True)
class FetchResult:
    """Result of a fetch: the verified folder, and whether it was downloaded."""

    folder: ModelFolder
    downloaded: bool
    """False if the folder already existed; it was verified then."""


def fetch(
    style: str,
    to: Path,
    revision: str | None = None,
    pin: Pin | None = None,
    *,
    show_progress: bool = False,
) -> FetchResult:
    """Download a public model into the folder ``to``, atomically.

    Resumes an interrupted download. If several processes fetch into the same folder, one downloads
    and the others wait. The hub is https://modelscope.cn, or the client's MODELSCOPE_ENDPOINT.
    ``pin`` is the expected digest; a download with another one is deleted.
    ``show_progress`` shows the client's progress bars on standard error.

    Raises ModelError with cause and remedy.
    """

    def download(to: Path) -> None:
        _download(STYLES[style], revision or DEFAULT_REVISION, to, pin, show_progress)

    return write_once(download, style, to, revision, pin)


def write_once(
    write: Callable[[Path], None], style: str, to: Path, revision: str | None, pin: Pin | None
) -> FetchResult:
    """Let ``write`` create the folder ``to`` of a public style, unless it exists.

    One process writes, the others wait. Raises ModelError.
    """
    if style not in STYLES:
        raise ModelError(f"There is no public style {style!r}: the styles are {', '.join(STYLES)}.")
    to = to.resolve()
    with exclusive_lock(to, "--to"):
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            return FetchResult(_existing(to, style, revision, pin), downloaded=False)
        write(to)
        return FetchResult(open_folder(to), downloaded=True)


def _existing(to: Path, style: str, revision: str | None, pin: Pin | None) -> ModelFolder:
    """Verify a fetched folder; raise ModelError if it is another model, or none."""
    if not (to / manifest.FILE_NAME).is_file():
        raise ModelError(
            f"{to} already exists and was not fetched: choose another folder with --to."
        )
    try:
        folder = open_folder(to, pin)
    except ModelError as error:
        raise ModelError(f"{error} Remove {to} and run the command again.") from error
    if folder.style != style or revision not in (None, folder.revision):
        raise ModelError(
            f"{to} already holds {folder.style} at revision {folder.revision}: choose another"
            " folder with --to."
        )
    return folder


def _download(
    style: PublicStyle, revision: str, to: Path, pin: Pin | None, show_progress: bool
) -> None:
    """Download into a folder beside ``to``, write the manifest, and rename the folder."""
    staging = to.parent / f".{to.name}.partial"
    # A partial file of one revision must not be resumed with the bytes of another.
    files = staging / quote(f"{style.name}@{revision}", safe="")
    files.mkdir(parents=True, exist_ok=True)
    api, endpoint = _connect(staging / "client")
    source = f"{style.model_id} at revision {revision} on the hub {endpoint}"
    try:
        with _silence_client(show_progress):
            listing = api.list_repo_files(style.model_id, "model", revision=revision)
            wanted = [file for file in listing if file.path in FETCHED_FILES]
            _require_all(wanted, source)
            hub = HubReport(endpoint, _revision_entry(api, style, revision), _newest(wanted))
            api.download_repo(
                style.model_id,
                "model",
                revision=revision,
                local_dir=files,
                file_list=[
                    # The client checks size and checksum; a size of 0 means unknown.
                    {"Path": file.path, "Size": file.size or None, "Sha256": file.sha256}
                    for file in wanted
                ],
            )
        _require_files(wanted, files, source)
    except ModelError:
        raise
    except Exception as error:  # Also errors of the client about a malformed response.
        raise ModelError(_explain(error, source)) from error
    described = Manifest(
        style=style.name,
        model=style.model_id,
        revision=revision,
        files={file.path: manifest.record_file(files / file.path) for file in wanted},
        hub=hub,
    )
    manifest.write(files, described)
    try:
        open_folder(files, pin)
    except ModelError:
        shutil.rmtree(staging)
        raise
    files.replace(to)
    shutil.rmtree(staging)


def _connect(cache: Path) -> "tuple[HubApi, str]":
    """Return the hub client and the hub's address.

    ``cache`` is the client's folder for locks and session id. Its folders in the home directory,
    which may hold credentials, are neither read nor written.
    """
    try:
        from modelscope_hub import HubApi, HubConfig
    except ModuleNotFoundError as error:
        raise ModelError(
            "Fetching needs the ModelScope client, which is not installed: run"
            " `make install-reference`, or `pip install 'dctnet[reference]'`."
        ) from error
    config = HubConfig(cache_dir=cache, config_dir=cache)
    # The address appears in messages and in the manifest; a password must not.
    return HubApi(config), re.sub("//[^/]*@", "//", str(config.endpoint))


@contextmanager
def _silence_client(show_progress: bool) -> Iterator[None]:
    """Suppress the client's log and, unless requested, its progress bars."""
    logger = logging.getLogger("modelscope_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with (
            Path(os.devnull).open("w") as devnull,
            redirect_stderr(sys.stderr if show_progress else devnull),
        ):
            yield
    finally:
        logger.setLevel(level)


def _require_all(wanted: "list[FileInfo]", source: str) -> None:
    missing = set(REQUIRED_FILES) - {file.path for file in wanted}
    if missing:
        raise ModelError(
            f"{source} lacks {', '.join(sorted(missing))}, so dctnet cannot use it:"
            " check the revision."
        )


def _require_files(wanted: "list[FileInfo]", folder: Path, source: str) -> None:
    """Raise ModelError if the content of a file is the hub's error document.

    The hub sends it with the status 200, and the client detects it by size or checksum only.
    """
    for file in wanted:
        path = folder / file.path
        content = path.read_bytes() if path.stat().st_size < MAX_ERROR_BYTES else b""
        if content.startswith(b"{") and b'"Code"' in content and b'"Success"' in content:
            path.unlink()
            raise ModelError(f"There is no {file.path} of {source}: check the revision.")


def _newest(files: "list[FileInfo]") -> str | None:
    times = [f.last_modified for f in files if isinstance(f.last_modified, datetime)]
    return max(times).astimezone(UTC).isoformat() if times else None


def _revision_entry(
    api: "HubApi", style: PublicStyle, revision: str
) -> dict[str, str | int | None] | None:
    try:
        entries = api.list_repo_revisions(style.model_id, "model")
    except Exception:
        return None  # A mirror may serve only files; checksums do not depend on this.
    for entry in entries:
        if entry.get("Revision") == revision:
            return {k: v for k, v in entry.items() if isinstance(v, str | int | None)}
    return None


def _explain(error: BaseException, what: str) -> str:
    """Return cause and remedy of a client error in one sentence."""
    from modelscope_hub import APIError, FileDownloadError, FileIntegrityError, NotExistError

    if isinstance(error, FileDownloadError):
        name, error = min(error.failed_files.items())
        what = f"{name} of {what}"
    if isinstance(error, FileIntegrityError):
        return (
            f"The download of {what} does not match the size or checksum that the hub lists, and"
            " was deleted. Run the command again later."
        )
    if isinstance(error, NotExistError):
        return f"There is no {what}: check the revision and MODELSCOPE_ENDPOINT."
    if isinstance(error, APIError):
        wait = getattr(error, "retry_after", None)  # The hub's Retry-After.
        when = "later" if wait is None else f"in {wait:.0f} s"
        return (
            f"The hub rejected {what} with HTTP {error.status_code}. Run the command again {when}:"
            " it resumes."
        )
    return _explain_other(error, what)


def _explain_other(error: BaseException, what: str) -> str:
    """Return cause and remedy of an error that is not about a response's status."""
    if reason := _certificate_error(error):
        return (
            f"The hub's certificate is not trusted, for {what}: {reason}. If a proxy or mirror has"
            " a certificate of your own authority, set REQUESTS_CA_BUNDLE to the file of that"
            " authority's certificates."
        )
    # Disk and connection errors are both OSErrors. Those of HTTP libraries have no errno, and those
    # about a response's content are ValueErrors.
    if isinstance(error, OSError) and error.errno is not None:
        return (
            f"Cannot store {what}: {os_error_reason(error)}. Fix this and run the command"
            " again: it resumes."
        )
    if isinstance(error, OSError) and not isinstance(error, ValueError):
        return (
            f"The hub could not be reached, or the connection was lost, for {what}. Check the"
            " network and run the command again: it resumes."
        )
    return (
        f"The response for {what} is invalid ({type(error).__name__}): check that"
        " MODELSCOPE_ENDPOINT is the address of a hub."
    )


def _certificate_error(error: BaseException | None) -> str:
    """Return why a certificate was rejected; empty if none was."""
    while error is not None:
        if isinstance(error, SSLCertVerificationError):
            return error.verify_message
        # `requests` has the cause among the arguments only.
        arguments = (getattr(argument, "reason", argument) for argument in error.args)
        nested = next((a for a in arguments if isinstance(a, BaseException)), None)
        error = nested or error.__cause__ or error.__context__
    return ""
