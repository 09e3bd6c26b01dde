"""Manifest of a model folder: identity, source, and the checksum of every file.

``python -m dctnet.models.manifest DIR --style NAME`` writes one for a folder that was not fetched.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar

from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.networks import NETWORKS, NetworkRecord
from dctnet.runtime_registry import RUNTIMES

FILE_NAME = "manifest.json"
FORMAT = 1

SOURCE_FILES = ("alpha.jpg", *sorted(f"{stem}.pb" for stem in NETWORKS.values()))
"""Upstream files on which a cartoon depends, in alphabetical order."""

_SHA256_DIGITS = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Checksum and size of a file."""

    sha256: str
    """64 lower-case hexadecimal digits."""
    size: int
    """Size in bytes."""


@dataclass(frozen=True, slots=True)
class HubReport:
    """The hub's data about a revision at the time of the fetch."""

    endpoint: str
    """Address of the hub."""
    revision: Mapping[str, str | int | None] | None
    """The hub's entry for the revision, unchanged; None if the hub does not list it."""
    last_commit: str | None
    """Commit time of the newest fetched file, ISO 8601, UTC; None if unknown."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """Conversion record: source, tools and results of a conversion."""

    source: str
    """Source digest of the folder that was converted: see `source_digest`."""
    tools: Mapping[str, str]
    """Versions of dctnet and of the packages that the conversion used."""
    networks: Mapping[str, NetworkRecord]
    """Record of each network in ``NETWORKS``."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Identity of a model folder and the checksums of its files.

    Contains no time, and a version of dctnet only for a converted model: fetching a revision again
    gives the same digest.
    """

    style: str
    model: str
    """Model id: for a public model its repository on the hub."""
    revision: str
    """Requested revision; empty for a model without revisions."""
    files: Mapping[str, FileRecord]
    """Records by path, relative to the folder, with forward slashes."""
    hub: HubReport | None = None
    """None unless the folder, or the source of its conversion, was fetched."""
    conversion: Conversion | None = None
    """None for a folder in the upstream format."""
    title: str = ""
    """Display name of the style; empty for a public one."""


def record_file(path: Path) -> FileRecord:
    """Return size and checksum of a file, read as a stream; raise OSError."""
    with path.open("rb") as file:
        return record_open_file(file)


def record_open_file(file: BinaryIO) -> FileRecord:
    """Return size and checksum of an open file, read from its start; raise OSError."""
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return FileRecord(sha256, file.tell())


def encode(manifest: Manifest) -> bytes:
    """Return the canonical JSON: sorted keys, indent of 2 spaces, final newline."""
    content = {"format": FORMAT, **asdict(manifest)}
    if manifest.conversion is None:
        del content["conversion"]
    return _canonical(content)


def encode_records(files: Mapping[str, FileRecord]) -> bytes:
    """Return records of files as canonical JSON."""
    return _canonical({name: asdict(record) for name, record in files.items()})


def decode_records(content: bytes, path: Path) -> dict[str, FileRecord]:
    """Parse records of files from the file ``path``; raise ModelError."""
    try:
        entries = _typed(json.loads(content), dict, "the document")
        return {_safe(name): _file_record(name, entry) for name, entry in entries.items()}
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is not a valid list of checksums: {error}.") from error


def _canonical(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode("ascii")


def digest(content: bytes) -> str:
    """Return the SHA-256 of a manifest's bytes, which covers every file it lists."""
    return hashlib.sha256(content).hexdigest()


def source_digest(files: Mapping[str, FileRecord]) -> str:
    """Return the SHA-256 of the upstream files' checksums, as `sha256sum` prints them.

    ``sha256sum alpha.jpg cartoon_bg.pb cartoon_h.pb detector.pb keypoints.pb | sha256sum`` prints
    the same. It depends neither on the hub nor on the version of dctnet.
    """
    lines = (f"{files[name].sha256}  {name}\n" for name in SOURCE_FILES)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def is_sha256(text: str) -> bool:
    """Return whether a text is a SHA-256 digest of 64 lower-case hexadecimal digits."""
    return len(text) == _SHA256_DIGITS and not set(text) - set("0123456789abcdef")


def write(folder: Path, manifest: Manifest) -> str:
    """Write the manifest into the folder atomically, return its digest; raise OSError."""
    content = encode(manifest)
    temporary = folder / f".{FILE_NAME}.tmp"
    temporary.write_bytes(content)
    temporary.replace(folder / FILE_NAME)
    return digest(content)


def decode(content: bytes, path: Path) -> Manifest:
    """Parse the bytes of the manifest at ``path``.

    Raises ModelError unless it has this format and names only files inside its folder.
    """
    try:
        return _manifest(_typed(json.loads(content), dict, "the document"))
    # Deep nesting raises RecursionError.
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is not a valid manifest: {error}.") from error


def _manifest(data: dict[str, object]) -> Manifest:
    if data.get("format") != FORMAT:
        raise ValueError(f"its format is {data.get('format')!r}, and this version reads {FORMAT}")
    files = _typed(data.get("files"), dict, "files")
    hub, conversion = data.get("hub"), data.get("conversion")
    return Manifest(
        style=_typed(data.get("style"), str, "style"),
        model=_typed(data.get("model"), str, "model"),
        revision=_typed(data.get("revision"), str, "revision"),
        files={_safe(name): _file_record(name, entry) for name, entry in files.items()},
        title=_typed(data.get("title", ""), str, "title"),
        hub=None if hub is None else _hub_report(_typed(hub, dict, "hub")),
        conversion=(
            None if conversion is None else _conversion(_typed(conversion, dict, "the conversion"))
        ),
    )


def _file_record(name: str, entry: object) -> FileRecord:
    fields = _typed(entry, dict, name)
    sha256 = _typed(fields.get("sha256"), str, f"the checksum of {name}")
    if not is_sha256(sha256):
        raise ValueError(f"the checksum of {name} is not a sha256")
    return FileRecord(sha256, _typed(fields.get("size"), int, f"the size of {name}"))


def _hub_report(fields: dict[str, object]) -> HubReport:
    revision, last_commit = fields.get("revision"), fields.get("last_commit")
    return HubReport(
        endpoint=_typed(fields.get("endpoint"), str, "the hub's endpoint"),
        revision=None if revision is None else _typed(revision, dict, "the hub's revision"),
        last_commit=None if last_commit is None else _typed(last_commit, str, "the last commit"),
    )


def _conversion(fields: dict[str, object]) -> Conversion:
    source = _typed(fields.get("source"), str, "the source")
    if not is_sha256(source):
        raise ValueError("the source is not a sha256")
    tools = _typed(fields.get("tools"), dict, "the tools")
    networks = _typed(fields.get("networks"), dict, "the networks")
    if set(networks) != set(NETWORKS):
        raise ValueError(f"its networks are not {', '.join(NETWORKS)}")
    return Conversion(
        source=source,
        tools={
            name: _typed(version, str, f"the version of {name}") for name, version in tools.items()
        },
        networks={
            name: _network_record(name, _typed(networks[name], dict, name)) for name in NETWORKS
        },
    )


def _network_record(name: str, fields: dict[str, object]) -> NetworkRecord:
    runtimes = _typed(fields.get("runtimes"), list, f"the runtimes of {name}")
    if not runtimes or not all(runtime in RUNTIMES for runtime in runtimes):
        raise ValueError(
            f"the runtimes of {name} are {runtimes}, not some of {', '.join(RUNTIMES)}"
        )
    return NetworkRecord(
        runtimes=tuple(runtimes),
        reason=_typed(fields.get("reason"), str, f"the reason of {name}"),
        same_as=_shared_network(_typed(fields.get("same_as"), str, f"the same_as of {name}")),
    )


def _shared_network(name: str) -> str:
    if name and name not in NETWORKS:
        raise ValueError(f"{name!r} is not one of its networks, {', '.join(NETWORKS)}")
    return name


def _typed(value: object, kind: type[T], what: str) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{what} is missing or of the wrong type")
    return value


def _safe(name: str) -> str:
    path = PurePosixPath(name)
    inside = path.parts and not path.is_absolute() and ".." not in path.parts
    if not inside or path.as_posix() != name or "\\" in name:
        raise ValueError(f"it names {name!r}, which is not a path inside the folder")
    return name


def main(argv: list[str]) -> int:
    """Write the manifest of a folder that was not fetched, and print its digest."""
    parser = argparse.ArgumentParser(
        prog="python -m dctnet.models.manifest", description=main.__doc__
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--style", required=True)
    parser.add_argument("--title", default="", help="display name; default: the style")
    parser.add_argument("--model", help="the model's id; default: the style")
    parser.add_argument("--revision", default="", help="default: none")
    arguments = parser.parse_args(argv)
    folder: Path = arguments.folder
    try:
        paths = [p for p in folder.rglob("*") if p.is_file() and p != folder / FILE_NAME]
        files = {path.relative_to(folder).as_posix(): record_file(path) for path in paths}
        model = arguments.model or arguments.style
        described = Manifest(
            arguments.style, model, arguments.revision, files, title=arguments.title
        )
        sys.stdout.write(f"{write(folder, described)}\n")
    except OSError as error:
        sys.stderr.write(f"Cannot write the manifest of {folder}: {os_error_reason(error)}.\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
