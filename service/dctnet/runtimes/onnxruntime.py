"""ONNX Runtime: converted face networks, and generators where no native variant runs.

The threads belong to a graph's session. Callers share them; each call uses all that are free.
"""

import os

import numpy as np

# Telemetry would identify the machine, keep a database in the home folder, and report to Microsoft.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

from dctnet.models import generator_weights as weights
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.open_files import Readable
from dctnet.runtime_registry import RUNTIMES
from dctnet.runtimes import Detector, Generator, Landmarker, signatures
from dctnet.runtimes.signatures import Run, Signature

_ERROR = 3
"""Minimum severity of the log, from 0 (verbose) to 4 (fatal)."""

ort.set_default_logger_severity(_ERROR)


def generator(path: Readable, threads: int) -> Generator:
    """Load a generator, whose weights are in a file beside its graph; raise ModelError."""
    options = _options(threads)
    arrays = in_onnx_order(weights.read(path.with_suffix(RUNTIMES["native"].suffix)))
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in arrays.values()]
    options.add_external_initializers(list(arrays), values)
    return signatures.generator(_load_graph(path, signatures.GENERATOR, options))


def detector(path: Readable, threads: int) -> Detector:
    """Load a face detector; raise ModelError."""
    return signatures.detector(_load_graph(path, signatures.DETECTOR, _options(threads)))


def landmarker(path: Readable, threads: int) -> Landmarker:
    """Load a landmark network; raise ModelError."""
    return signatures.landmarker(_load_graph(path, signatures.LANDMARKS, _options(threads)))


def in_onnx_order(arrays: weights.Weights) -> weights.Weights:
    """Return the layers' arrays with kernels in the order of ONNX, OxIxHxW.

    Omits the guided filter's epsilon, which is part of the graph.
    """
    return {
        name: np.ascontiguousarray(array.transpose(3, 2, 0, 1) if array.ndim == 4 else array)
        for name, array in arrays.items()
        if name != weights.EPSILON
    }


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # A network is a chain of operations, so nothing can run in parallel.
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERROR
    # The arena would keep 85 MB for one caller. Without it the detector's memory is mapped in each
    # call, a quarter of its CPU time.
    options.enable_cpu_mem_arena = False
    # Without spinning, idle threads do not take the CPU from other networks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _load_graph(path: Readable, signature: Signature, options: ort.SessionOptions) -> Run:
    """Return a thread-safe function from a graph's image to its outputs; raise ModelError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The graph {path} cannot be read: {os_error_reason(error)}.") from error
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common class.
        raise ModelError(f"ONNX Runtime cannot load {path}: {error}") from error
    names = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
    for name in (*signature.outputs, signature.image):
        if name not in names:
            raise ModelError(f"{path} is not a DCT-Net graph: it has no tensor {name}.")
    outputs = list(signature.outputs)
    return lambda image: session.run(outputs, {signature.image: image})
