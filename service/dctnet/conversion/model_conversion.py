"""Conversion of a model folder: networks, golden pair and manifest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from dctnet import __version__
from dctnet.conversion.network_conversion import (
    ConvertedNetwork,
    conversion_threads,
    convert_networks,
)
from dctnet.conversion.trial_images import golden_portraits
from dctnet.engine import Engine, read_alpha
from dctnet.lifecycle.warm_up import SelfTestFailed, check_golden_pair
from dctnet.models import manifest
from dctnet.models.atomic_dir import exclusive_lock, replace_dir, staging_dir
from dctnet.models.errors import ModelError
from dctnet.models.folder import (
    ALPHA,
    GOLDEN_CHECKSUMS,
    GOLDEN_PAIR,
    NOTICES,
    ModelFolder,
    open_folder,
)
from dctnet.models.manifest import Conversion, Manifest
from dctnet.models.networks import NETWORKS, NetworkRecord
from dctnet.models.self_test import GoldenPair
from dctnet.runtimes import selection

TOOLS = ("onnx", "onnxruntime", "tensorflow", "tf2onnx")
"""Packages whose versions the manifest records."""

_NEEDED = ("tensorflow", "tf2onnx", "onnx")

Report = Callable[[str], None]
"""Callback that receives the name of the current step."""

STEPS = len(NETWORKS) + 1
"""Number of steps that `convert_model` reports."""


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """Result of a conversion."""

    folder: ModelFolder
    """The verified folder."""
    networks: Mapping[str, ConvertedNetwork] | None
    """What the conversion of each network found; None if an up-to-date conversion existed."""


def convert_model(
    source: ModelFolder, to: Path, *, force: bool = False, report: Report = lambda _: None
) -> ConversionResult:
    """Convert a verified folder in the upstream format into the folder ``to``, atomically.

    Replaces an existing conversion of the same model, and with ``force`` any model folder. Raises
    ModelError with cause and remedy.
    """
    _require_tools()
    to = to.resolve()
    _require_disjoint(source, to)
    with exclusive_lock(to, "--output"):
        existing = _existing(source, to, force)
        if existing is not None:
            return ConversionResult(existing, None)
        with staging_dir(to) as folder:
            networks = _write_converted_model(folder, source, report)
            replace_dir(folder, to)
        return ConversionResult(open_folder(to), networks)


def _require_tools() -> None:
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        raise ModelError(
            f"Converting a model needs {' and '.join(missing)}, which is not installed: run"
            " `make install-reference`, `pip install 'dctnet[reference]'`, or use the"
            " `tensorflow` image."
        )


def _require_disjoint(source: ModelFolder, to: Path) -> None:
    if source.is_converted:
        raise ModelError(f"{source.path} is already converted.")
    path = source.path.resolve()
    if path == to or path in to.parents or to in path.parents:
        raise ModelError(
            f"One of {to} and the model {path} contains the other: choose another folder with"
            " --output."
        )


def _existing(source: ModelFolder, to: Path, force: bool) -> ModelFolder | None:
    """Return an up-to-date conversion; raise ModelError if another folder exists."""
    if not to.exists() or (to.is_dir() and not any(to.iterdir())):
        return None
    path = to / manifest.FILE_NAME
    if not path.is_file():
        raise ModelError(
            f"{to} already exists and is not a converted model: choose another folder."
        )
    described = manifest.decode(path.read_bytes(), path)
    if force:
        return None
    conversion = described.conversion
    same = (
        conversion is not None
        and (described.style, described.model) == (source.style, source.model)
        and conversion.source == source.source_digest
    )
    if not same:
        raise ModelError(
            f"{to} already holds another model, {described.model}: choose another folder with"
            " --output, or replace it with --force."
        )
    assert conversion is not None
    labels = (described.revision, described.title, described.hub)
    if labels != (source.revision, source.title, source.hub) or conversion.tools != _tools():
        return None  # It may be out of date.
    try:
        return open_folder(to)
    except ModelError:
        return None  # It is damaged: convert again.


def _write_converted_model(
    folder: Path, source: ModelFolder, report: Report
) -> dict[str, ConvertedNetwork]:
    networks = convert_networks(source.files, folder, report)
    for name in (ALPHA, *NOTICES):
        if name in source.files:
            (folder / name).write_bytes(source.files.read(name))
    report("golden pair")
    _write_manifest(folder, source, {name: found.record for name, found in networks.items()})
    _write_golden_pair(folder, source)
    return networks


def _write_golden_pair(folder: Path, source: ModelFolder) -> None:
    """Write the first golden pair that the converted model reproduces; raise SelfTestFailed.

    Like any image, one may be a near-tie for the detector: see `dctnet.conversion.comparison`.
    """
    reference = _engine(source)
    for image in golden_portraits():
        GoldenPair(image, reference.cartoonize(image).image).write(folder)
        checksums = {name: manifest.record_file(folder / name) for name in GOLDEN_PAIR}
        (folder / GOLDEN_CHECKSUMS).write_bytes(manifest.encode_records(checksums))
        converted = open_folder(folder)
        try:
            check_golden_pair(_engine(converted), converted)
        except SelfTestFailed as error:
            failure = error
        else:
            return
    raise failure


def _engine(folder: ModelFolder) -> Engine:
    return Engine(selection.load(folder, conversion_threads()), read_alpha(folder.files[ALPHA]))


def _write_manifest(folder: Path, source: ModelFolder, records: dict[str, NetworkRecord]) -> None:
    files = {path.name: manifest.record_file(path) for path in folder.iterdir()}
    conversion = Conversion(source.source_digest, _tools(), records)
    manifest.write(
        folder,
        Manifest(
            style=source.style,
            model=source.model,
            revision=source.revision,
            files=files,
            title=source.title,
            hub=source.hub,
            conversion=conversion,
        ),
    )


def _tools() -> dict[str, str]:
    return {"dctnet": __version__} | {tool: metadata.version(tool) for tool in TOOLS}
