"""Makes a prepared folder: the networks, the golden pair, and the manifest."""

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
"""The packages whose versions are recorded."""

_NEEDED = ("tensorflow", "tf2onnx", "onnx")

Report = Callable[[str], None]
"""Is told what is being done now."""

STEPS = len(NETWORKS) + 1
"""How often `convert_model` reports."""


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """A prepared folder that is in its place."""

    folder: ModelFolder
    converted: bool
    """False if it was there already, made of the same source by the same tools."""


def convert_model(
    source: ModelFolder, to: Path, *, force: bool = False, report: Report = lambda _: None
) -> ConversionResult:
    """Prepare a verified folder in the upstream format into the folder ``to``.

    The folder appears whole or not at all. One that is there is replaced if it was prepared of the
    same source, and any model folder with ``force``. Raises ModelError, whose message says what
    stood in the way and what to do.
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
            f"Preparing a model needs {' and '.join(missing)}, which is not installed: run"
            " `make install-reference`, `pip install 'dctnet[reference]'`, or take the"
            " `tensorflow` image."
        )


def _require_disjoint(source: ModelFolder, to: Path) -> None:
    if source.is_converted:
        raise ModelError(f"{source.path} is prepared already.")
    path = source.path.resolve()
    if path == to or path in to.parents or to in path.parents:
        raise ModelError(
            f"{to} and the model {path} lie in one another: choose another folder with --output."
        )


def _existing(source: ModelFolder, to: Path, force: bool) -> ModelFolder | None:
    """Return the folder that is there if it can stay; raise ModelError if it must not go."""
    if not to.exists() or (to.is_dir() and not any(to.iterdir())):
        return None
    path = to / manifest.FILE_NAME
    if not path.is_file():
        raise ModelError(f"{to} is there already and is no prepared model: choose another folder.")
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
        return None  # Nothing tells that it is up to date.
    try:
        return open_folder(to)
    except ModelError:
        return None  # It is damaged, and will be made again.


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
