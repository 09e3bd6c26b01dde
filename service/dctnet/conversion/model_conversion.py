"""Conversion of a model folder: networks, golden pair and manifest."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from dctnet import __version__
from dctnet.conversion.network_conversion import conversion_threads, convert_networks
from dctnet.conversion.trial_images import golden_portrait
from dctnet.engine import Engine, read_alpha
from dctnet.lifecycle.warm_up import check_golden_pair
from dctnet.models import manifest
from dctnet.models.atomic_dir import exclusive_lock, replace_dir, staging_dir
from dctnet.models.errors import ModelError
from dctnet.models.folder import ALPHA, NOTICES, ModelFolder, open_folder
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
    """Result of a conversion: the verified folder, and whether it was converted now."""

    folder: ModelFolder
    converted: bool
    """False if an up-to-date conversion already existed."""


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
            return ConversionResult(existing, converted=False)
        with staging_dir(to) as folder:
            _write_converted_model(folder, source, report)
            replace_dir(folder, to)
        return ConversionResult(open_folder(to), converted=True)


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
        and conversion.source == source.digest
    )
    if not same:
        raise ModelError(
            f"{to} already holds another model, {described.model}: choose another folder with"
            " --output, or replace it with --force."
        )
    assert conversion is not None
    if source.digest is None or conversion.tools != _tools():
        return None  # It may be out of date.
    try:
        return open_folder(to)
    except ModelError:
        return None  # It is damaged: convert again.


def _write_converted_model(folder: Path, source: ModelFolder, report: Report) -> None:
    records = convert_networks(source.files, folder, report)
    for name in (ALPHA, *NOTICES):
        if name in source.files:
            (folder / name).write_bytes(source.files.read(name))
    report("golden pair")
    reference = Engine(
        selection.load(source, conversion_threads()), read_alpha(source.files[ALPHA])
    )
    image = golden_portrait()
    GoldenPair(image, reference.cartoonize(image).image).write(folder)
    _write_manifest(folder, source, records)
    converted = open_folder(folder)
    engine = Engine(
        selection.load(converted, conversion_threads()), read_alpha(converted.files[ALPHA])
    )
    check_golden_pair(engine, converted)


def _write_manifest(folder: Path, source: ModelFolder, records: dict[str, NetworkRecord]) -> None:
    files = {path.name: manifest.record_file(path) for path in sorted(folder.iterdir())}
    conversion = Conversion(source.digest, _tools(), records)
    manifest.write(
        folder,
        Manifest(source.style, source.model, source.revision, files, source.hub, conversion),
    )


def _tools() -> dict[str, str]:
    return {"dctnet": __version__} | {tool: metadata.version(tool) for tool in TOOLS}
