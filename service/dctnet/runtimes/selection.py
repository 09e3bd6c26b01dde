"""Runtime selection: which runtime runs which network of a model on this machine."""

from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

from dctnet.models import networks
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.models.open_files import Readable
from dctnet.runtime_registry import REFERENCE, RUNTIMES
from dctnet.runtimes import Detector, Generator, Landmarker, Networks


class Runtime(Protocol):
    """Module of a runtime; `threads` is the number of threads that one call may use."""

    def generator(self, file: Readable, threads: int, /) -> Generator:
        """Load a generator; raise ModelError."""
        ...

    def detector(self, file: Readable, threads: int, /) -> Detector:
        """Load a face detector; raise ModelError."""
        ...

    def landmarker(self, file: Readable, threads: int, /) -> Landmarker:
        """Load a landmark network; raise ModelError."""
        ...


class CompiledRuntime(Protocol):
    """Module of a runtime that calls a compiled library."""

    def limit_hot_generators(self, count: int | None, /) -> None:
        """Set how many generators are kept ready; None for all."""
        ...

    def switches(self) -> int:
        """Return how often a generator was made ready."""
        ...


class CompiledLibrary(Protocol):
    """Module of a compiled runtime's library, which has a variant for each kind of CPU."""

    def unavailable_reason(self) -> str:
        """Return why no variant runs on this machine; empty if one does."""
        ...

    def select_variant(self) -> str:
        """Return the name of the fastest variant for this machine."""
        ...


def select(folder: ModelFolder, requested: str | None = None) -> dict[str, str]:
    """Return the runtime of each network: the fastest that is available and can read it.

    ``requested`` names the runtime of the generators. Raises ModelError, with the remedy, if a
    network needs a runtime that is not installed, or if ``requested`` cannot run a generator.
    """
    available = [runtime for runtime in RUNTIMES if not _unavailable_reason(runtime)]
    selected = {}
    for name, network in folder.networks.items():
        if requested and name in networks.GENERATORS:
            _check_requested(requested, available, folder, name)
            selected[name] = requested
            continue
        usable = (runtime for runtime in available if runtime in network.runtimes)
        selected[name] = next(usable, "")
        if not selected[name]:
            raise _missing_runtime(folder, name)
    return selected


def _module(runtime: str) -> object:
    return import_module(f"dctnet.runtimes.{runtime}")


def _library(runtime: str) -> CompiledLibrary:
    """Return the module of a compiled runtime's library, which is quicker to import."""
    return cast("CompiledLibrary", _module(f"{runtime}_library"))


def _unavailable_reason(runtime: str) -> str:
    """Return why a runtime is not available on this machine; empty if it is."""
    package = RUNTIMES[runtime].package
    if package is None:
        return _library(runtime).unavailable_reason()
    return "" if find_spec(package) else f"{runtime} is not installed."


def _check_requested(requested: str, available: list[str], folder: ModelFolder, name: str) -> None:
    """Raise ModelError unless the requested runtime can run a generator on this machine."""
    readable = folder.networks[name].runtimes
    if requested not in readable:
        raise ModelError(
            f"DCTNET_RUNTIME is {requested}, but the {name} of the model {folder.model} in"
            f" {folder.path} is for {' or '.join(readable)}."
        )
    if requested not in available:
        raise ModelError(
            f"DCTNET_RUNTIME is {requested}, which cannot be used here."
            f" {_unavailable_reason(requested)}"
        )


def summary(folder: ModelFolder, requested: str | None = None) -> str:
    """Return the selected runtimes in one word, such as ``native+onnxruntime``, or ``none``."""
    try:
        return "+".join(sorted(set(select(folder, requested).values())))
    except ModelError:
        return "none"


def explain(folder: ModelFolder, requested: str | None = None) -> str:
    """Return one line: the runtime of each generator and why it was selected, or the error."""
    try:
        selected = select(folder, requested)
    except ModelError as error:
        return str(error)
    generators: dict[tuple[str, str], list[str]] = {}
    for name in networks.GENERATORS:
        runtime = selected[name]
        reason = _selection_reason(runtime, folder.networks[name], requested)
        generators.setdefault((runtime, reason), []).append(name)
    return "; ".join(
        f"{_runtime_label(runtime)} runs {' and '.join(names)}: {reason}"
        for (runtime, reason), names in generators.items()
    )


def _runtime_label(runtime: str) -> str:
    if RUNTIMES[runtime].package is None:
        return f"{runtime} ({_library(runtime).select_variant()})"
    return runtime


def _selection_reason(runtime: str, network: networks.NetworkRecord, requested: str | None) -> str:
    if requested:
        return "set by DCTNET_RUNTIME"
    if network.reason:
        return network.reason
    names = list(RUNTIMES)
    faster = names[: names.index(runtime)]
    reasons = [_unavailable_reason(name).rstrip(".") for name in faster if name in network.runtimes]
    return ", ".join(reasons) or "the fastest for this machine and model"


class NetworkLoader:
    """Loads the networks of models, each distinct network once: styles share face networks."""

    def __init__(self, threads: int, requested: str | None = None) -> None:
        """A call of a network may use ``threads`` threads; ``requested`` is as in `select`."""
        self._threads = threads
        self._requested = requested
        self._loaded: dict[tuple[object, ...], Future[Any]] = {}

    def load(self, folder: ModelFolder) -> Networks:
        """Load the networks of a verified folder, each into its runtime; raise ModelError."""
        runtimes = select(folder, self._requested)
        # Import in this thread only: in CPython 3.11 an import fails with KeyError if a finalizer
        # that garbage collection runs meanwhile imports too (gh-91351).
        modules = {
            runtime: cast("Runtime", _module(runtime))
            for runtime in dict.fromkeys(runtimes.values())
        }
        in_parallel = all(RUNTIMES[runtime].loads_in_parallel for runtime in modules)
        with ThreadPoolExecutor(None if in_parallel else 1) as pool:

            def submit(network: str) -> Future[Any]:
                kind = "generator" if network in networks.GENERATORS else network
                runtime = runtimes[network]
                names = networks.file_names(folder.networks[network].same_as or network, runtime)
                load = getattr(modules[runtime], _LOADERS[kind])
                # A missing file is reported when it is loaded.
                records = (folder.files.records.get(name, folder.path) for name in names)
                key = (kind, runtime, *records)
                if key not in self._loaded:
                    self._loaded[key] = pool.submit(load, folder.files[names[0]], self._threads)
                return self._loaded[key]

            loading = [submit(network) for network in networks.NETWORKS]
        background, head, detector, landmarks = (future.result() for future in loading)
        return Networks(background, head, detector, landmarks, background.has_spare_thread)


_LOADERS = {"generator": "generator", "detector": "detector", "landmarks": "landmarker"}
"""Functions of a runtime by kind of network."""


def load(folder: ModelFolder, threads: int, requested: str | None = None) -> Networks:
    """Load the networks of one verified folder; raise ModelError."""
    return NetworkLoader(threads, requested).load(folder)


def limit_hot_generators(count: int) -> None:
    """Set how many generators the compiled runtimes keep ready in this process."""
    for runtime in _compiled():
        runtime.limit_hot_generators(count)


def weight_switches() -> int:
    """Return how often this process made a generator's weights ready."""
    return sum(runtime.switches() for runtime in _compiled())


def _compiled() -> list[CompiledRuntime]:
    names = (name for name, runtime in RUNTIMES.items() if runtime.package is None)
    return [cast("CompiledRuntime", _module(name)) for name in names]


def _missing_runtime(folder: ModelFolder, name: str) -> ModelError:
    network = folder.networks[name]
    if REFERENCE not in network.runtimes:
        return ModelError(
            f"The {name} of the model {folder.model} in {folder.path} needs"
            f" {' or '.join(network.runtimes)}, which is not installed: install dctnet again."
        )
    convert = "" if folder.is_converted else "convert it with `dctnet prepare`, "
    return ModelError(
        f"The model {folder.model} in {folder.path} needs TensorFlow, which is not installed, for"
        f" {networks.file_name(name, REFERENCE)} ({network.reason}): {convert}install dctnet"
        " with its `reference` extra, or use the `tensorflow` image."
    )
