"""OpenVINO engine for the generator benchmark; not in any lock file."""

from pathlib import Path
from typing import Any

from benchmarks import slots
from dctnet.arrays import GeneratorOutput
from dctnet.runtimes import Generator
from dctnet.runtimes.signatures import Array


def generator(path: Path, threads: int, precision: str | None = None) -> Generator:
    """Load a frozen generator with a number of threads per call.

    `precision` is OpenVINO's name of it, or None for its default on this CPU.
    """
    properties: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # The other engines' threads are not pinned either.
        "ENABLE_CPU_PINNING": False,
    }
    if precision:
        properties["INFERENCE_PRECISION_HINT"] = precision
    return slots.generator(lambda: _Slot(path, properties))


class _Slot:
    """A model, compiled per image size; calls of one compiled model would wait for each other."""

    def __init__(self, path: Path, properties: dict[str, Any]) -> None:
        import openvino

        self._core = openvino.Core()
        self._properties = properties
        # OpenVINO 2026.4.1 cannot read the ONNX graph: sizes that are not fixed fail in a `Resize`.
        self._model = self._core.read_model(path)
        self._requests: dict[tuple[int, ...], Any] = {}

    def __call__(self, image: Array) -> GeneratorOutput:
        if image.shape not in self._requests:
            # A model that is compiled for any size is a tenth slower at 288x288.
            self._model.reshape(list(image.shape))
            compiled = self._core.compile_model(self._model, "CPU", self._properties)
            self._requests[image.shape] = compiled.create_infer_request()
        output: GeneratorOutput = self._requests[image.shape].infer([image])[0]
        return output
