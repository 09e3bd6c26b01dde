"""Which runtime computes which network of a model, here."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from dctnet.models import networks
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.models.open_files import Readable
from dctnet.runtimes import Detector, Generator, Landmarker, Networks, native

RUNTIMES = ("native", "onnxruntime", "tensorflow")
"""The fastest first; each is the name of a module here, the others' also that of a package."""


class Runtime(Protocol):
    """A module that loads networks from files; `threads` is how many one call may use."""

    def generator(self, file: Readable, threads: int, /) -> Generator:
        """Load a generator; raise ModelError."""
        ...

    def detector(self, file: Readable, threads: int, /) -> Detector:
        """Load a face detector; raise ModelError."""
        ...

    def landmarker(self, file: Readable, threads: int, /) -> Landmarker:
        """Load a landmark network; raise ModelError."""
        ...


def select(folder: ModelFolder, requested: str | None = None) -> dict[str, str]:
    """Return the runtime of each part: the fastest that is here and can read the network.

    With ``requested``, it is the generators' only one. Raises ModelError where one needs a runtime
    that is not installed, or cannot have the one that is requested, and says what to do.
    """
    installed = [runtime for runtime in RUNTIMES if not _unavailable_reason(runtime)]
    selected = {}
    for name, network in folder.networks.items():
        if requested and name in networks.GENERATORS:
            _check_requested(requested, installed, folder, name)
            selected[name] = requested
            continue
        usable = (runtime for runtime in installed if runtime in network.runtimes)
        selected[name] = next(usable, "")
        if not selected[name]:
            raise _missing(folder, name)
    return selected


def _unavailable_reason(runtime: str) -> str:
    """Say why a runtime cannot be used here; empty where it can."""
    if runtime == "native":
        return native.unavailable_reason()
    return "" if find_spec(runtime) else f"{runtime} is not installed."


def _check_requested(requested: str, installed: list[str], folder: ModelFolder, name: str) -> None:
    """Raise ModelError unless the runtime that is requested can compute a generator here."""
    readable = folder.networks[name].runtimes
    if requested not in readable:
        raise ModelError(
            f"DCTNET_RUNTIME is {requested}, but the {name} of the model {folder.model} in"
            f" {folder.path} is for {' or '.join(readable)}."
        )
    if requested not in installed:
        raise ModelError(
            f"DCTNET_RUNTIME is {requested}, which cannot be used here."
            f" {_unavailable_reason(requested)}"
        )


def summary(folder: ModelFolder, requested: str | None = None) -> str:
    """Name the runtimes of a model here in one word, such as ``native+onnxruntime``."""
    try:
        return "+".join(sorted(set(select(folder, requested).values())))
    except ModelError:
        return "none"


def explain(folder: ModelFolder, requested: str | None = None) -> str:
    """Say in one line which runtime draws here, and why that one; or why none does."""
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
        f"{_runtime_label(runtime)} draws {' and '.join(names)}: {reason}"
        for (runtime, reason), names in generators.items()
    )


def _runtime_label(runtime: str) -> str:
    return f"native ({native.select_variant()})" if runtime == "native" else runtime


def _selection_reason(runtime: str, network: networks.NetworkRecord, requested: str | None) -> str:
    if requested:
        return "DCTNET_RUNTIME says so"
    if network.reason:
        return network.reason
    faster = RUNTIMES[: RUNTIMES.index(runtime)]
    reasons = [_unavailable_reason(name).rstrip(".") for name in faster if name in network.runtimes]
    return ", ".join(reasons) or "the fastest for this machine and model"


def load(folder: ModelFolder, threads: int, requested: str | None = None) -> Networks:
    """Load the networks of a verified folder, each into its runtime; raises ModelError."""
    runtimes = select(folder, requested)
    # Here, so that no threads import at once: in CPython 3.11 an import fails with KeyError where
    # garbage is collected meanwhile whose finalizer imports too (gh-91351), and so the more often,
    # the more threads import.
    modules = {
        runtime: cast("Runtime", import_module(f"dctnet.runtimes.{runtime}"))
        for runtime in dict.fromkeys(runtimes.values())
    }

    def locate_file(network: str) -> tuple[Runtime, Readable]:
        runtime = runtimes[network]
        file = networks.file_name(folder.networks[network].same_as or network, runtime)
        return modules[runtime], folder.files[file]

    def generator(network: str) -> Generator:
        runtime, file = locate_file(network)
        return runtime.generator(file, threads)

    def detector() -> Detector:
        runtime, file = locate_file("detector")
        return runtime.detector(file, threads)

    def landmarker() -> Landmarker:
        runtime, file = locate_file("landmarks")
        return runtime.landmarker(file, threads)

    if "tensorflow" in runtimes.values():
        # It aborts where the process ends while other threads than the caller's load.
        return Networks(generator("background"), generator("head"), detector(), landmarker())
    with ThreadPoolExecutor() as pool:
        background, head = (pool.submit(generator, network) for network in networks.GENERATORS)
        boxes, landmarks = pool.submit(detector), pool.submit(landmarker)
    return Networks(background.result(), head.result(), boxes.result(), landmarks.result())


def _missing(folder: ModelFolder, name: str) -> ModelError:
    network = folder.networks[name]
    if "tensorflow" not in network.runtimes:
        return ModelError(
            f"The {name} of the model {folder.model} in {folder.path} needs"
            f" {' or '.join(network.runtimes)}, which is not installed: install dctnet again."
        )
    prepare = "" if folder.is_converted else "prepare it with `dctnet prepare`, "
    return ModelError(
        f"The model {folder.model} in {folder.path} needs TensorFlow, which is not installed, for"
        f" {networks.file_name(name, 'tensorflow')} ({network.reason}): {prepare}install dctnet"
        " with its `reference` extra, or take the `tensorflow` image."
    )
