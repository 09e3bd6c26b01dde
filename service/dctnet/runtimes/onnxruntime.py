"""ONNX Runtime on converted graphs: the face networks, and the generators of a slow CPU.

A graph's threads belong to its session: callers share them, each call using all that are free.
"""

import os

import numpy as np

# It would give the machine an id, keep a database in the home folder, and report to its makers.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

from dctnet.models import generator_weights as weights
from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.networks import SUFFIXES
from dctnet.models.open_files import Readable
from dctnet.runtimes import Detector, Generator, Landmarker, signatures
from dctnet.runtimes.signatures import Run, Signature

_ERROR = 3
"""The least severity that is logged, of 0 (verbose) to 4 (fatal)."""

ort.set_default_logger_severity(_ERROR)


def generator(path: Readable, threads: int) -> Generator:
    """Load a generator, whose weights lie beside its graph; raises ModelError."""
    options = _options(threads)
    arrays = in_onnx_order(weights.read(path.with_suffix(SUFFIXES["native"])))
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in arrays.values()]
    options.add_external_initializers(list(arrays), values)
    return signatures.generator(_load_graph(path, signatures.GENERATOR, options))


def detector(path: Readable, threads: int) -> Detector:
    """Load a face detector with so many threads; raises ModelError."""
    return signatures.detector(_load_graph(path, signatures.DETECTOR, _options(threads)))


def landmarker(path: Readable, threads: int) -> Landmarker:
    """Load a landmark network with so many threads; raises ModelError."""
    return signatures.landmarker(_load_graph(path, signatures.LANDMARKS, _options(threads)))


def in_onnx_order(arrays: weights.Weights) -> weights.Weights:
    """Return the layers' arrays with kernels as ONNX wants them, OxIxHxW.

    The filter's epsilon is left out: it is a part of the graph.
    """
    return {
        name: np.ascontiguousarray(array.transpose(3, 2, 0, 1) if array.ndim == 4 else array)
        for name, array in arrays.items()
        if name != weights.EPSILON
    }


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # A network is a chain of operations.
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERROR
    # It would keep the memory of the largest image, 35 MB for a detector, and is no faster.
    options.enable_cpu_mem_arena = False
    # Threads that wait for work would otherwise spin, and take the CPU from other networks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _load_graph(path: Readable, signature: Signature, options: ort.SessionOptions) -> Run:
    """Return a thread-safe function from a graph's image to its outputs; raises ModelError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The graph {path} cannot be read: {os_error_reason(error)}.") from error
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # It has no common class of its errors.
        raise ModelError(f"ONNX Runtime cannot load {path}: {error}") from error
    names = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
    for name in (*signature.outputs, signature.image):
        if name not in names:
            raise ModelError(f"{path} is not a graph of DCT-Net: it has no tensor {name}.")
    outputs = list(signature.outputs)
    return lambda image: session.run(outputs, {signature.image: image})
