"""Fetching a public model from the ModelScope hub, with the hub's own client.

The client is ``modelscope_hub``, the part of ``modelscope`` that talks to the hub and imports no
machine learning. It resumes, retries and holds what it receives against the hub's sums; added here
are the choice of files, the manifest, and a folder that appears whole or not at all.
"""

import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from dctnet.models import manifest
from dctnet.models.atomic_dir import exclusive_lock
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.folder import REQUIRED_FILES, ModelFolder, open_folder
from dctnet.models.manifest import HubReport, Manifest
from dctnet.models.styles import STYLES, PublicStyle

if TYPE_CHECKING:
    from modelscope_hub import HubApi
    from modelscope_hub.types import FileInfo

DEFAULT_REVISION = "master"
"""The hub's branch that a model is published on."""

FETCHED_FILES = (*REQUIRED_FILES, "README.md", "LICENSE")
"""What is taken of a repository: the model, and what states its licence where there is one."""


@dataclass(frozen=True, slots=True)
class FetchResult:
    """A model folder that is in its place."""

    folder: ModelFolder
    downloaded: bool
    """False if it was there already; it was verified then."""


def fetch(
    style: str, to: Path, revision: str | None = None, *, show_progress: bool = False
) -> FetchResult:
    """Bring a public model into the folder ``to``, which appears whole or not at all.

    A download that broke off goes on where it stopped when it is asked for again. Of several
    processes that fetch into the same place one downloads, and the others wait for it. The hub is
    https://modelscope.cn, or what the client's own MODELSCOPE_ENDPOINT names. ``show_progress``
    lets the client draw its bars on standard error.

    Raises ModelError, whose message says what stood in the way and what to do.
    """
    if style not in STYLES:
        raise ModelError(f"There is no public style {style!r}: the styles are {', '.join(STYLES)}.")
    to = to.resolve()
    with exclusive_lock(to, "--to"):
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            return FetchResult(_existing(to, style, revision), downloaded=False)
        _download(STYLES[style], revision or DEFAULT_REVISION, to, show_progress)
        return FetchResult(open_folder(to), downloaded=True)


def _existing(to: Path, style: str, revision: str | None) -> ModelFolder:
    if not (to / manifest.FILE_NAME).is_file():
        raise ModelError(
            f"{to} is there already and was not fetched: choose another folder with --to."
        )
    try:
        folder = open_folder(to)
    except ModelError as error:
        raise ModelError(f"{error} Remove {to} and run the command again.") from error
    if folder.style != style or revision not in (None, folder.revision):
        raise ModelError(
            f"{to} already holds {folder.style} at revision {folder.revision}: choose another"
            " folder with --to."
        )
    return folder


def _download(style: PublicStyle, revision: str, to: Path, show_progress: bool) -> None:
    """Download into a folder beside ``to``, write the manifest, and move it into place."""
    staging = to.parent / f".{to.name}.partial"
    # A partial file of one revision must not be continued with the bytes of another.
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
                    # The client holds what it receives against these; a size of 0 is unknown.
                    {"Path": file.path, "Size": file.size or None, "Sha256": file.sha256}
                    for file in wanted
                ],
            )
    except ModelError:
        raise
    except Exception as error:  # Also what the client trips over in an answer that is none.
        raise ModelError(_explain(error, source)) from error
    described = Manifest(
        style=style.name,
        model=style.model_id,
        revision=revision,
        files={file.path: manifest.record_file(files / file.path) for file in wanted},
        hub=hub,
    )
    manifest.write(files, described)
    files.replace(to)
    shutil.rmtree(staging)


def _connect(cache: Path) -> "tuple[HubApi, str]":
    """Return the client and the hub's address.

    ``cache`` is where the client keeps its locks and its session's id. Its usual places in the
    home directory, where a login's credentials may lie, are neither read nor written.
    """
    try:
        from modelscope_hub import HubApi, HubConfig
    except ModuleNotFoundError as error:
        raise ModelError(
            "Fetching needs the ModelScope client, which is not installed: run"
            " `make install-reference`, or `pip install 'dctnet[reference]'`."
        ) from error
    config = HubConfig(cache_dir=cache, config_dir=cache)
    # The address goes into messages and the manifest; a password in it does not.
    return HubApi(config), re.sub("//[^/]*@", "//", str(config.endpoint))


@contextmanager
def _silence_client(show_progress: bool) -> Iterator[None]:
    """Keep the client's log from standard error, and its bars too unless they are wanted."""
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
            f"{source} lacks {', '.join(sorted(missing))}, so it is no model that dctnet can use:"
            " check the revision."
        )


def _newest(files: "list[FileInfo]") -> str | None:
    times = [f.last_modified for f in files if isinstance(f.last_modified, datetime)]
    return max(times).astimezone(UTC).isoformat() if times else None


def _revision_entry(
    api: "HubApi", style: PublicStyle, revision: str
) -> dict[str, str | int | None] | None:
    try:
        entries = api.list_repo_revisions(style.model_id, "model")
    except Exception:
        return None  # A mirror may serve files alone; the sums do not depend on it.
    for entry in entries:
        if entry.get("Revision") == revision:
            return {k: v for k, v in entry.items() if isinstance(v, str | int | None)}
    return None


def _explain(error: BaseException, what: str) -> str:
    """Say in a sentence what a failure of the client means, and what to do."""
    from modelscope_hub import APIError, FileDownloadError, FileIntegrityError, NotExistError

    if isinstance(error, FileDownloadError):
        name, error = min(error.failed_files.items())
        what = f"{name} of {what}"
    if isinstance(error, FileIntegrityError):
        return (
            f"What the hub sent as {what} has not the size or the sum that the hub lists, and was"
            " thrown away. Run the command again later."
        )
    if isinstance(error, NotExistError):
        return f"There is no {what}: check the revision and MODELSCOPE_ENDPOINT."
    if isinstance(error, APIError):
        return (
            f"The hub rejected {what} with HTTP {error.status_code}. Run the command again later:"
            " it goes on where it stopped."
        )
    # Broken disks and connections are both OSErrors; those of HTTP libraries carry no number, and
    # those about an answer's content are ValueErrors.
    if isinstance(error, OSError) and error.errno is not None:
        return (
            f"Cannot store {what}: {os_error_reason(error)}. Put that right and run the command"
            " again: it goes on where it stopped."
        )
    if isinstance(error, OSError) and not isinstance(error, ValueError):
        return (
            f"The hub could not be reached, or the connection broke off, for {what}. Check the"
            " network and run the command again: it goes on where it stopped."
        )
    return (
        f"The answer for {what} could not be understood ({type(error).__name__}): is"
        " MODELSCOPE_ENDPOINT the address of a hub?"
    )
