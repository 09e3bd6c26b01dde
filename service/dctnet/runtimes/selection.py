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


def select(folder: ModelFolder, wanted: str | None = None) -> dict[str, str]:
    """Return the runtime of each part: the fastest that is here and can read the part.

    With ``wanted``, it is the generators' only one. Raises ModelError where a part needs a runtime
    that is not installed, or cannot have the one that is wanted, and says what to do.
    """
    installed = [runtime for runtime in RUNTIMES if not _reason_against(runtime)]
    chosen = {}
    for name, part in folder.parts.items():
        if wanted and name in networks.GENERATORS:
            _require(wanted, installed, folder, name)
            chosen[name] = wanted
            continue
        usable = (runtime for runtime in installed if runtime in part.runtimes)
        chosen[name] = next(usable, "")
        if not chosen[name]:
            raise _missing(folder, name)
    return chosen


def _reason_against(runtime: str) -> str:
    """Say why a runtime cannot be used here; empty where it can."""
    if runtime == "native":
        return native.reason_against()
    return "" if find_spec(runtime) else f"{runtime} is not installed."


def _require(wanted: str, installed: list[str], folder: ModelFolder, name: str) -> None:
    """Raise ModelError unless the runtime that is wanted can compute a generator here."""
    readable = folder.parts[name].runtimes
    if wanted not in readable:
        raise ModelError(
            f"DCTNET_RUNTIME is {wanted}, but the {name} of the model {folder.model} in"
            f" {folder.path} is for {' or '.join(readable)}."
        )
    if wanted not in installed:
        raise ModelError(
            f"DCTNET_RUNTIME is {wanted}, which cannot be used here. {_reason_against(wanted)}"
        )


def summary(folder: ModelFolder, wanted: str | None = None) -> str:
    """Name the runtimes of a model here in one word, such as ``native+onnxruntime``."""
    try:
        return "+".join(sorted(set(select(folder, wanted).values())))
    except ModelError:
        return "none"


def explain(folder: ModelFolder, wanted: str | None = None) -> str:
    """Say in one line which runtime draws here, and why that one; or why none does."""
    try:
        chosen = select(folder, wanted)
    except ModelError as error:
        return str(error)
    drawn: dict[tuple[str, str], list[str]] = {}
    for name in networks.GENERATORS:
        who_and_why = chosen[name], _why(chosen[name], folder.parts[name], wanted)
        drawn.setdefault(who_and_why, []).append(name)
    return "; ".join(
        f"{_with_variant(runtime)} draws {' and '.join(names)}: {why}"
        for (runtime, why), names in drawn.items()
    )


def _with_variant(runtime: str) -> str:
    return f"native ({native.pick()})" if runtime == "native" else runtime


def _why(runtime: str, part: networks.Part, wanted: str | None) -> str:
    if wanted:
        return "DCTNET_RUNTIME says so"
    if part.reason:
        return part.reason
    faster = RUNTIMES[: RUNTIMES.index(runtime)]
    reasons = [_reason_against(name).rstrip(".") for name in faster if name in part.runtimes]
    return ", ".join(reasons) or "the fastest for this machine and model"


def load(folder: ModelFolder, threads: int, wanted: str | None = None) -> Networks:
    """Load the networks of a verified folder, each into its runtime; raises ModelError."""
    runtimes = select(folder, wanted)
    # Here, so that no threads import at once: in CPython 3.11 an import fails with KeyError where
    # garbage is collected meanwhile whose finalizer imports too (gh-91351), and so the more often,
    # the more threads import.
    modules = {
        runtime: cast("Runtime", import_module(f"dctnet.runtimes.{runtime}"))
        for runtime in dict.fromkeys(runtimes.values())
    }

    def place(part: str) -> tuple[Runtime, Readable]:
        runtime = runtimes[part]
        file = networks.file(folder.parts[part].same_as or part, runtime)
        return modules[runtime], folder.files[file]

    def generator(part: str) -> Generator:
        runtime, file = place(part)
        return runtime.generator(file, threads)

    def detector() -> Detector:
        runtime, file = place("detector")
        return runtime.detector(file, threads)

    def landmarker() -> Landmarker:
        runtime, file = place("landmarks")
        return runtime.landmarker(file, threads)

    if "tensorflow" in runtimes.values():
        # It aborts where the process ends while other threads than the caller's load.
        return Networks(generator("background"), generator("head"), detector(), landmarker())
    with ThreadPoolExecutor() as pool:
        background, head = (pool.submit(generator, part) for part in networks.GENERATORS)
        boxes, landmarks = pool.submit(detector), pool.submit(landmarker)
    return Networks(background.result(), head.result(), boxes.result(), landmarks.result())


def _missing(folder: ModelFolder, name: str) -> ModelError:
    part = folder.parts[name]
    if "tensorflow" not in part.runtimes:
        return ModelError(
            f"The {name} of the model {folder.model} in {folder.path} needs"
            f" {' or '.join(part.runtimes)}, which is not installed: install dctnet again."
        )
    prepare = "" if folder.is_prepared else "prepare it with `dctnet prepare`, "
    return ModelError(
        f"The model {folder.model} in {folder.path} needs TensorFlow, which is not installed, for"
        f" {networks.file(name, 'tensorflow')} ({part.reason}): {prepare}install dctnet with its"
        " `reference` extra, or take the `tensorflow` image."
    )
