"""Model folders: location and verification."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dctnet.models import manifest
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.manifest import FileRecord, HubReport, Manifest
from dctnet.models.networks import (
    NETWORKS,
    UNCONVERTED,
    NetworkRecord,
    file_name,
    file_names,
)
from dctnet.models.open_files import OpenFiles
from dctnet.models.pins import Pin
from dctnet.models.styles import SHIPPED_STYLES, STYLES
from dctnet.runtime_registry import RUNTIMES

SHIPPED = Path(__file__).parent / "shipped"
"""Folder of the styles that ship with the package, each in a folder of its name."""

SHIPPED_COMMON = SHIPPED / "common"
"""Files that all shipped styles share: face networks, the generators' graph and the head mask."""

REQUIRED_FILES = (*manifest.SOURCE_FILES, "configuration.json")
"""Files of the upstream format (modelscope/pipelines/cv/image_cartoon_pipeline.py)."""

OLD_NAMES = {"cartoon_anime_bg.pb": "cartoon_bg.pb", "cartoon_anime_h.pb": "cartoon_h.pb"}
"""Names that upstream's first release gave to files, and the names since."""

ALPHA = "alpha.jpg"
"""Mask with which a head is blended onto the background."""

GOLDEN_INPUT = "golden-input.png"
GOLDEN_OUTPUT = "golden-output.png"
"""The golden pair: an image, and its cartoon by the reference runtime."""

GOLDEN_PAIR = (GOLDEN_INPUT, GOLDEN_OUTPUT)

GOLDEN_CHECKSUMS = "golden-checksums.json"
"""Checksums of a converted model's golden pair, whose bytes depend on the CPU that computed it. The
manifest, and so the digest, must not."""

NOTICES = ("README.md", "LICENSE", "LICENSES.md")
"""Licence files, which conversion copies."""

LOADED_FILES = frozenset(
    (
        ALPHA,
        *NOTICES,
        *GOLDEN_PAIR,
        *(file_name(network, runtime) for network in NETWORKS for runtime in RUNTIMES),
    )
)
"""Files that stay open after verification, to be read when the model is loaded."""

CONVERTED_SUFFIX = "-converted"
"""Suffix that `dctnet prepare` appends to the name of the source folder."""

Integrity = Literal["pinned", "unpinned", "no manifest"]
"""Checked against a pinned digest, against the folder's own manifest only, or not at all."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A verified model folder."""

    path: Path
    style: str
    """Name of the style, or the folder's name without manifest."""
    model: str
    """Model id, or the folder's name without manifest."""
    revision: str
    """Requested revision; empty without manifest."""
    digest: str | None
    """SHA-256 of the manifest; None without manifest."""
    integrity: Integrity
    networks: Mapping[str, NetworkRecord] = field(
        default_factory=lambda: dict.fromkeys(NETWORKS, UNCONVERTED)
    )
    """Record of each network."""
    is_converted: bool = False
    files: OpenFiles = field(default_factory=OpenFiles, compare=False, repr=False)
    """Files to load the model from, open since verification."""
    hub: HubReport | None = field(default=None, compare=False, repr=False)
    """Report of the hub that it was fetched from, if any."""
    source_digest: str = ""
    """Digest of the upstream files, also if they were converted: see `manifest.source_digest`."""
    title: str = ""
    """Display name of the style; empty if it has none of its own."""

    @property
    def label(self) -> str:
        """Name of the model in one ASCII word, such as ``comic`` or ``anime@v1.0.0``."""
        word = f"{self.style}@{self.revision}" if self.revision else self.style
        return "".join(c if "!" <= c <= "~" else "?" for c in word)

    @property
    def unconverted(self) -> dict[str, str]:
        """Networks of a converted model that still need TensorFlow, with the reason."""
        networks = self.networks.items() if self.is_converted else ()
        return {name: network.reason for name, network in networks if network.reason}


def locate(model: str, models_dir: Path, *, prefer_converted: bool = True) -> Path:
    """Return the folder of a model.

    ``model`` is the name of a style or the path of a folder. A style takes precedence over a folder
    of the same name in the working directory, so the result does not depend on that directory. The
    converted folder of a style takes precedence over the fetched one, unless ``prefer_converted``
    is false, and both over a shipped style of that name.

    Raises ModelError for a style that is not fetched, or a name that is neither style nor path.
    """
    suffixes = (CONVERTED_SUFFIX, "") if prefer_converted else ("",)
    folders = [models_dir / f"{model}{suffix}" for suffix in suffixes]
    if model in STYLES and (fetched := next(filter(Path.is_dir, folders), None)):
        return fetched
    if model in SHIPPED_STYLES:
        return SHIPPED / model
    if model in STYLES:
        raise ModelError(
            f"The style {model} is not in {models_dir}: fetch it with `dctnet fetch {model}`."
        )
    if os.sep in model or Path(model).is_dir():
        return Path(model)
    raise ModelError(
        f"There is no style and no folder {model!r}: the styles are"
        f" {', '.join(dict.fromkeys((*STYLES, *SHIPPED_STYLES)))}."
    )


def default_styles(models_dir: Path) -> tuple[str, ...]:
    """Return every style that has been fetched and converted, else the shipped ones."""
    converted = (name for name in STYLES if (models_dir / f"{name}{CONVERTED_SUFFIX}").is_dir())
    return tuple(converted) or tuple(SHIPPED_STYLES)


def style_of(path: Path) -> str:
    """Return the style that a folder claims to be, before it is verified; raise ModelError."""
    file = path / manifest.FILE_NAME
    try:
        if not file.exists():
            return _style_name(path.resolve().name)
        return _style_name(manifest.decode(file.read_bytes(), file).style)
    except OSError as error:
        raise ModelError(f"Cannot read the model {file}: {os_error_reason(error)}.") from error


def open_folder(path: Path, pin: Pin | None = None) -> ModelFolder:
    """Verify a model folder and return it with its verified files open.

    Every file that the manifest lists must have the listed size and checksum. ``pin`` is the
    expected digest. Without one, or with one of the source, a folder in the upstream format needs
    no manifest. A converted model has a manifest with a conversion record.

    Raises ModelError that names the first missing, truncated or changed file.
    """
    try:
        folder = _open(path, pin)
    except OSError as error:
        raise ModelError(
            f"Cannot read the model {error.filename}: {os_error_reason(error)}."
        ) from error
    if pin is None:
        return folder
    if pin.of_source and folder.source_digest != pin.sha256:
        raise ModelError(
            f"The upstream files of {path} have the digest {folder.source_digest}, but"
            f" {pin.sha256} is expected: it is another model, or it was changed."
        )
    return replace(folder, integrity="pinned")


def _open(path: Path, pin: Pin | None) -> ModelFolder:
    if not path.exists():
        raise ModelError(f"There is no model folder {path}.")
    if not path.is_dir():
        raise ModelError(f"{path} is not a folder, so it cannot be a model.")
    expected = None if pin is None or pin.of_source else pin.sha256
    if not (path / manifest.FILE_NAME).exists():
        return _open_without_manifest(path, expected)
    content = (path / manifest.FILE_NAME).read_bytes()
    found = manifest.digest(content)
    if expected is not None and found != expected:
        raise ModelError(
            f"The manifest of {path} has the digest {found}, but {expected} is expected: it is"
            " another model, or it was changed."
        )
    described = manifest.decode(content, path / manifest.FILE_NAME)
    verified = _verify(path, described)
    conversion = described.conversion
    folder = ModelFolder(
        path=path,
        style=_style_name(described.style),
        model=described.model,
        revision=described.revision,
        title=described.title,
        digest=found,
        source_digest=(
            conversion.source if conversion else manifest.source_digest(described.files)
        ),
        integrity="unpinned",
        files=verified,
        hub=described.hub,
    )
    if conversion is None:
        return folder
    return replace(folder, networks=conversion.networks, is_converted=True)


def _open_without_manifest(path: Path, digest: str | None) -> ModelFolder:
    missing = [name for name in REQUIRED_FILES if not (path / name).is_file()]
    if missing:
        raise ModelError(
            f"{path} is not a complete model: it lacks {', '.join(missing)}.{_rename(path)}"
        )
    if digest is not None:
        raise ModelError(
            f"{path} has no {manifest.FILE_NAME}, so it cannot be checked against the digest"
            f" {digest}."
        )
    found = OpenFiles(path, (name for name in sorted(LOADED_FILES) if (path / name).is_file()))
    return ModelFolder(
        path=path,
        style=_style_name(path.resolve().name),
        model=path.resolve().name,
        revision="",
        digest=None,
        source_digest=manifest.source_digest(found.records),
        integrity="no manifest",
        files=found,
    )


def _style_name(text: str) -> str:
    """Return a name that settings, URLs and headers can hold."""
    return re.sub("[^A-Za-z0-9._-]", "-", text)


def _rename(path: Path) -> str:
    """Return which files to rename, as a sentence; empty if none."""
    old = {name: new for name, new in OLD_NAMES.items() if (path / name).is_file()}
    changes = " and ".join(f"{name} to {new}" for name, new in old.items())
    return f" Rename {changes}." if changes else ""


def _verify(path: Path, described: Manifest) -> OpenFiles:
    # A manifest that lists too few files must not pass for a complete model.
    for name in _required(described):
        if name not in described.files:
            raise ModelError(f"The manifest of {path} does not list {name}, which a model needs.")
    verified = OpenFiles(path, common=SHIPPED_COMMON if path.parent == SHIPPED else None)
    for name, expected in sorted(described.files.items()):
        _verify_file(verified, name, expected)
        if name not in LOADED_FILES:
            verified.close(name)
    if described.conversion is not None:
        checksums = _golden_checksums(path / GOLDEN_CHECKSUMS)
        for name in GOLDEN_PAIR:
            _verify_file(verified, name, checksums[name])
    return verified


def _golden_checksums(path: Path) -> dict[str, FileRecord]:
    if not path.is_file():
        raise ModelError(f"The model file {path} is missing.")
    checksums = manifest.decode_records(path.read_bytes(), path)
    if checksums.keys() != set(GOLDEN_PAIR):
        raise ModelError(f"{path} does not list {' and '.join(GOLDEN_PAIR)}.")
    return checksums


def _required(described: Manifest) -> Iterator[str]:
    """Yield the files that a folder with this manifest must have."""
    if described.conversion is None:
        yield from REQUIRED_FILES
        return
    yield ALPHA
    for name, network in described.conversion.networks.items():
        for runtime in network.runtimes:
            yield from file_names(network.same_as or name, runtime)


def _verify_file(files: OpenFiles, name: str, expected: FileRecord) -> None:
    path = files.folder / name
    try:
        found = files.open(name)
    except FileNotFoundError:
        raise ModelError(f"The model file {path} is missing.") from None
    if found.size < expected.size:
        raise ModelError(
            f"The model file {path} is truncated: it has {found.size} of {expected.size} bytes."
        )
    if found != expected:
        raise ModelError(
            f"The model file {path} does not match the manifest: its checksum is"
            f" {found.sha256}, not {expected.sha256}."
        )
