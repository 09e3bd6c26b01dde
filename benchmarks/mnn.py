"""MNN engine for the generator benchmark; not in any lock file.

    .venv/bin/python -m benchmarks.mnn GRAPH.pb MODEL.mnn

Converts a frozen generator to MNN's format.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks import slots
from dctnet.arrays import Pixels
from dctnet.runtimes import Generator, signatures
from dctnet.runtimes.signatures import Array

OUTPUT = signatures.GENERATOR.outputs[0].removesuffix(":0")
"""Output tensor; MNN names tensors like TensorFlow's operations."""


def convert(graph: Path, to: Path) -> None:
    """Convert a frozen generator; raise RuntimeError on failure."""
    # The command `mnnconvert` calls this too, but first runs `pip install` for a logger, with the
    # first pip on the PATH, and then reports its use to MNN's authors.
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
    """Load a converted generator with a number of threads per call."""
    return slots.generator(lambda: _Slot(path, threads))


class _Slot:
    """An interpreter and its session; unlike modules, its calls release the GIL."""

    def __init__(self, path: Path, threads: int) -> None:
        import MNN

        self._tensor = MNN.Tensor
        self._float = MNN.Halide_Type_Float
        self._interpreter = MNN.Interpreter(str(path))
        # By default MNN may use a lower precision than float32.
        settings = {"backend": "CPU", "numThread": threads, "precision": "high"}
        self._session = self._interpreter.createSession(settings)

    def __call__(self, image: Array) -> Pixels:
        """Run a float32 image; a size change costs a few percent more."""
        input_tensor = self._interpreter.getSessionInput(self._session)
        if input_tensor.getShape() != image.shape:
            self._interpreter.resizeTensor(input_tensor, image.shape)
            self._interpreter.resizeSession(self._session)
        # The session's layout: otherwise MNN transposes the tensor, although it has no batch.
        layout = input_tensor.getDimensionType()
        input_tensor.copyFrom(self._tensor(image.shape, self._float, image, layout))
        if error := self._interpreter.runSession(self._session):
            raise RuntimeError(f"MNN fails with error {error}.")
        output_tensor = self._interpreter.getSessionOutput(self._session, OUTPUT)
        return np.array(output_tensor.getNumpyData(), np.uint8)


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:]))
