"""Model folders, as upstream ships them and prepared: where they are, and if they are whole."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dctnet.models import manifest
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.manifest import FileRecord, HubReport, Manifest
from dctnet.models.networks import (
    NETWORKS,
    SUFFIXES,
    UNCONVERTED,
    NetworkRecord,
    file_name,
    file_names,
)
from dctnet.models.open_files import OpenFiles
from dctnet.models.styles import DEMO_STYLE, STYLES

DEMO = Path(__file__).parent / "demo"
"""The demo model, which ships with the package."""

DEFAULT_STYLE = "anime"

REQUIRED_FILES = (
    "alpha.jpg",
    "cartoon_bg.pb",
    "cartoon_h.pb",
    "configuration.json",
    "detector.pb",
    "keypoints.pb",
)
"""What upstream's pipeline reads (modelscope/pipelines/cv/image_cartoon_pipeline.py)."""

ALPHA = "alpha.jpg"
"""The mask by which a head is laid onto the background."""

GOLDEN_INPUT = "golden-input.png"
GOLDEN_OUTPUT = "golden-output.png"
"""An image, and what the reference runtime draws of it."""

NOTICES = ("README.md", "LICENSE", "LICENSES.md")
"""Files that state a model's licence, which a prepared folder takes over."""

LOADED_FILES = frozenset(
    (
        ALPHA,
        *NOTICES,
        GOLDEN_INPUT,
        GOLDEN_OUTPUT,
        *(file_name(network, runtime) for network in NETWORKS for runtime in SUFFIXES),
    )
)
"""The files that are read after verification, and stay open for it."""

CONVERTED_SUFFIX = "-converted"
"""What follows the name of a folder in the name of the prepared one that is made of it."""

Integrity = Literal["pinned", "unpinned", "no manifest"]
"""Whether the files were held against a digest from outside, against their own manifest, or not."""

UNKNOWN_STYLE = "unknown"
"""The style of a folder that has no manifest to tell it."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model folder that was found good."""

    path: Path
    style: str
    model: str
    """The model's id, or the folder's name if there is no manifest."""
    revision: str
    """The revision that was asked for, or empty if there is no manifest."""
    digest: str | None
    """The sha256 of the manifest, or None if there is no manifest."""
    integrity: Integrity
    networks: Mapping[str, NetworkRecord] = field(
        default_factory=lambda: dict.fromkeys(NETWORKS, UNCONVERTED)
    )
    """Who can compute each network."""
    is_converted: bool = False
    files: OpenFiles = field(default_factory=OpenFiles, compare=False, repr=False)
    """The files to load it from, open since it was verified."""
    sample: bytes | None = field(default=None, compare=False, repr=False)
    """A PNG image in its style, as verified; None where the folder has none."""
    hub: HubReport | None = field(default=None, compare=False, repr=False)
    """What its manifest says of the hub that it was fetched from."""

    @property
    def label(self) -> str:
        """Name a model in one word of printable ASCII, such as ``demo`` or ``anime@v1.0.0``.

        A folder whose style nothing tells goes by its name.
        """
        name = self.model if self.style == UNKNOWN_STYLE else self.style
        word = f"{name}@{self.revision}" if self.revision else name
        return "".join(c if "!" <= c <= "~" else "?" for c in word)

    @property
    def unconverted(self) -> dict[str, str]:
        """The parts that were prepared in vain, each with the reason why it needs TensorFlow."""
        networks = self.networks.items() if self.is_converted else ()
        return {name: network.reason for name, network in networks if network.reason}


def locate(model: str | None, models_dir: Path, *, prefer_converted: bool = True) -> Path:
    """Return the folder of a model.

    ``model`` is the name of a style or the path of a folder. The name of a style wins over a
    folder of that name in the working directory, so that the answer does not depend on where a
    process starts. With None it is the fetched ``anime`` if there is one, else the demo model.
    Of a style the prepared folder comes before the fetched one, unless ``prepared`` is false.

    Raises ModelError for a style that is not fetched and for what is neither style nor path.
    """
    suffixes = (CONVERTED_SUFFIX, "") if prefer_converted else ("",)

    def of_style(style: str) -> Path | None:
        folders = (models_dir / f"{style}{suffix}" for suffix in suffixes)
        return next((folder for folder in folders if folder.is_dir()), None)

    if model is None:
        return of_style(DEFAULT_STYLE) or DEMO
    if model == DEMO_STYLE:
        return DEMO
    if model in STYLES:
        fetched = of_style(model)
        if fetched is None:
            raise ModelError(
                f"The style {model} is not in {models_dir}: fetch it with `dctnet fetch {model}`."
            )
        return fetched
    if os.sep in model or Path(model).is_dir():
        return Path(model)
    raise ModelError(
        f"There is no style and no folder {model!r}: the styles are {', '.join(STYLES)} and"
        f" {DEMO_STYLE}."
    )


def open_folder(path: Path, digest: str | None = None) -> ModelFolder:
    """Verify a model folder and return it with the files that were verified, open.

    With a manifest, every file that it lists must have its size and its sum; a prepared folder is
    one whose manifest says how it was prepared. ``digest`` is the sha256 that the manifest itself
    must have, 64 lower-case hexadecimal digits; without it a folder of the upstream format needs
    no manifest.

    Raises ModelError, naming the first file that is missing, cut short or changed.
    """
    try:
        return _open(path, digest)
    except OSError as error:
        raise ModelError(
            f"Cannot read the model {error.filename}: {os_error_reason(error)}."
        ) from error


def _open(path: Path, digest: str | None) -> ModelFolder:
    if not path.exists():
        raise ModelError(f"There is no model folder {path}.")
    if not path.is_dir():
        raise ModelError(f"{path} is not a folder, so it cannot be a model.")
    if not (path / manifest.FILE_NAME).exists():
        return _open_without_manifest(path, digest)
    content = (path / manifest.FILE_NAME).read_bytes()
    found = manifest.digest(content)
    if digest is not None and found != digest:
        raise ModelError(
            f"The manifest of {path} has the digest {found}, but {digest} is expected: it is"
            " another model, or somebody changed it."
        )
    described = manifest.decode(content, path / manifest.FILE_NAME)
    verified = _verify(path, described)
    folder = ModelFolder(
        path=path,
        style=described.style,
        model=described.model,
        revision=described.revision,
        digest=found,
        integrity="unpinned" if digest is None else "pinned",
        files=verified,
        sample=_sample(verified),
        hub=described.hub,
    )
    if described.conversion is None:
        return folder
    return replace(folder, networks=described.conversion.networks, is_converted=True)


def _open_without_manifest(path: Path, digest: str | None) -> ModelFolder:
    missing = [name for name in REQUIRED_FILES if not (path / name).is_file()]
    if missing:
        raise ModelError(f"{path} is not a complete model: it lacks {', '.join(missing)}.")
    if digest is not None:
        raise ModelError(
            f"{path} has no {manifest.FILE_NAME}, so it cannot be held against the digest {digest}."
        )
    found = OpenFiles(path, (name for name in sorted(LOADED_FILES) if (path / name).is_file()))
    return ModelFolder(
        path=path,
        style=UNKNOWN_STYLE,
        model=path.resolve().name,
        revision="",
        digest=None,
        integrity="no manifest",
        files=found,
        sample=_sample(found),
    )


def _sample(verified: OpenFiles) -> bytes | None:
    return verified.read(GOLDEN_OUTPUT) if GOLDEN_OUTPUT in verified else None


def _verify(path: Path, described: Manifest) -> OpenFiles:
    # A manifest that lists too little would otherwise vouch for files that nobody summed.
    for name in _required(described):
        if name not in described.files:
            raise ModelError(f"The manifest of {path} does not list {name}, which a model needs.")
    verified = OpenFiles(path)
    for name, expected in sorted(described.files.items()):
        _verify_file(verified, name, expected)
        if name not in LOADED_FILES:
            verified.close(name)
    return verified


def _required(described: Manifest) -> Iterator[str]:
    """Yield the files that a folder of this manifest must have."""
    if described.conversion is None:
        yield from REQUIRED_FILES
        return
    yield from (ALPHA, GOLDEN_INPUT, GOLDEN_OUTPUT)
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
            f"The model file {path} is cut short: it has {found.size} of {expected.size} bytes."
        )
    if found != expected:
        raise ModelError(
            f"The model file {path} is not the one in the manifest: its sum is {found.sha256}"
            f" and should be {expected.sha256}."
        )
