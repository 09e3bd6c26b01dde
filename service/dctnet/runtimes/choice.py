"""Which runtime computes which network of a model, here."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from dctnet.models import parts
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.runtimes import Detector, Generator, Landmarker, Networks, native

RUNTIMES = ("native", "onnxruntime", "tensorflow")
"""The fastest first; each is the name of a module here, the others' also that of a package."""


class Runtime(Protocol):
    """A module that loads networks from files; `threads` is how many one call may use."""

    def generator(self, path: Path, threads: int, /) -> Generator:
        """Load a generator; raise ModelError."""
        ...

    def detector(self, path: Path, threads: int, /) -> Detector:
        """Load a face detector; raise ModelError."""
        ...

    def landmarker(self, path: Path, threads: int, /) -> Landmarker:
        """Load a landmark network; raise ModelError."""
        ...


def choose(folder: ModelFolder, wanted: str | None = None) -> dict[str, str]:
    """Return the runtime of each part: the fastest that is here and can read the part.

    With ``wanted``, it is the generators' only one. Raises ModelError where a part needs a runtime
    that is not installed, or cannot have the one that is wanted, and says what to do.
    """
    installed = [runtime for runtime in RUNTIMES if _is_here(runtime)]
    chosen = {}
    for name, part in folder.parts.items():
        if wanted and name in parts.GENERATORS:
            _require(wanted, installed, folder, name)
            chosen[name] = wanted
            continue
        usable = (runtime for runtime in installed if runtime in part.runtimes)
        chosen[name] = next(usable, "")
        if not chosen[name]:
            raise _missing(folder, name)
    return chosen


def _is_here(runtime: str) -> bool:
    if runtime == "native":
        return not native.reason_against()
    return find_spec(runtime) is not None


def _require(wanted: str, installed: list[str], folder: ModelFolder, name: str) -> None:
    """Raise ModelError unless the runtime that is wanted can compute a generator here."""
    readable = folder.parts[name].runtimes
    if wanted not in readable:
        raise ModelError(
            f"DCTNET_RUNTIME is {wanted}, but the {name} of the model {folder.model} in"
            f" {folder.path} is for {' or '.join(readable)}."
        )
    if wanted not in installed:
        why = native.reason_against() if wanted == "native" else "It is not installed."
        raise ModelError(f"DCTNET_RUNTIME is {wanted}, which cannot be used here. {why}")


def summary(folder: ModelFolder, wanted: str | None = None) -> str:
    """Name the runtimes of a model here in one word, such as ``native+onnxruntime``."""
    try:
        return "+".join(sorted(set(choose(folder, wanted).values())))
    except ModelError:
        return "none"


def load(folder: ModelFolder, threads: int, wanted: str | None = None) -> Networks:
    """Load the networks of a verified folder, each into its runtime; raises ModelError."""
    runtimes = choose(folder, wanted)

    def place(part: str) -> tuple[Runtime, Path]:
        runtime = runtimes[part]
        module = cast("Runtime", import_module(f"dctnet.runtimes.{runtime}"))
        return module, folder.path / parts.file(part, runtime)

    background, background_path = place("background")
    head, head_path = place("head")
    detector, detector_path = place("detector")
    landmarks, landmarks_path = place("landmarks")
    return Networks(
        background=background.generator(background_path, threads),
        head=head.generator(head_path, threads),
        detector=detector.detector(detector_path, threads),
        landmarks=landmarks.landmarker(landmarks_path, threads),
    )


def _missing(folder: ModelFolder, name: str) -> ModelError:
    part = folder.parts[name]
    if "tensorflow" not in part.runtimes:
        return ModelError(
            f"The {name} of the model {folder.model} in {folder.path} needs"
            f" {' or '.join(part.runtimes)}, which is not installed: install dctnet anew."
        )
    prepare = "" if folder.is_prepared else "prepare it with `dctnet prepare`, "
    return ModelError(
        f"The model {folder.model} in {folder.path} needs TensorFlow, which is not installed, for"
        f" {parts.file(name, 'tensorflow')} ({part.reason}): {prepare}install dctnet with its"
        " `reference` extra, or take the `tensorflow` image."
    )
