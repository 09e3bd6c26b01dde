"""MNN, an engine that is measured where somebody has installed it: no lock file has it.

    .venv/bin/python -m benchmarks.mnn GRAPH.pb MODEL.mnn

Converts a frozen generator to MNN's form.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np

from dctnet.arrays import GeneratorOutput, Pixels
from dctnet.runtimes import Generator, signatures
from dctnet.runtimes.signatures import Array

OUTPUT = signatures.GENERATOR.outputs[0].removesuffix(":0")
"""MNN names tensors as TensorFlow names operations."""


def is_installed() -> bool:
    """Say whether this environment has it."""
    return importlib.util.find_spec("MNN") is not None


def convert(graph: Path, to: Path) -> None:
    """Convert a frozen generator; raises RuntimeError."""
    # The command `mnnconvert` calls this too, but first runs `pip install` for a logger, with
    # whichever pip comes first on the PATH, and then reports its use to MNN's makers.
    import _tools

    _tools.mnnconvert(
        [
            "mnnconvert",
            "-f",
            "TF",
            "--modelFile",
            str(graph),
            "--MNNModel",
            str(to),
            "--bizCode",
            "",
        ]
    )
    if not to.exists():
        raise RuntimeError(f"MNN cannot convert {graph}.")


def generator(path: Path, threads: int) -> Generator:
    """Load a converted generator; a call may use so many threads."""
    slots = [_Slot(path, threads)]

    def run(image: Array) -> list[GeneratorOutput]:
        # A slot is for one call at a time, so there are as many as calls went on at once.
        try:
            slot = slots.pop()
        except IndexError:
            slot = _Slot(path, threads)
        try:
            return [slot.run(image)]
        finally:
            slots.append(slot)

    return signatures.generator(run)


class _Slot:
    """An interpreter and its session, whose calls do not hold Python's lock as modules' do."""

    def __init__(self, path: Path, threads: int) -> None:
        import MNN

        self._tensor = MNN.Tensor
        self._float = MNN.Halide_Type_Float
        self._interpreter = MNN.Interpreter(str(path))
        # By default it may compute in less than float32 where a CPU can.
        settings = {"backend": "CPU", "numThread": threads, "precision": "high"}
        self._session = self._interpreter.createSession(settings)

    def run(self, image: Array) -> Pixels:
        """Draw an image, float32; another size than the last's costs some hundredths more."""
        input_tensor = self._interpreter.getSessionInput(self._session)
        if input_tensor.getShape() != image.shape:
            self._interpreter.resizeTensor(input_tensor, image.shape)
            self._interpreter.resizeSession(self._session)
        # Of the same layout as the session's: else MNN transposes it, though it has no batch.
        layout = input_tensor.getDimensionType()
        input_tensor.copyFrom(self._tensor(image.shape, self._float, image, layout))
        if error := self._interpreter.runSession(self._session):
            raise RuntimeError(f"MNN answers with error {error}.")
        output_tensor = self._interpreter.getSessionOutput(self._session, OUTPUT)
        return np.array(output_tensor.getNumpyData(), np.uint8)


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:]))
