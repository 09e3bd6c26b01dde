"""TensorFlow, the reference runtime: runs the frozen graphs as upstream does.

The only module of the serving process that imports TensorFlow.
"""

import os
import tempfile
from typing import Any

# TensorFlow reads both on import. oneDNN is off by default on AMD CPUs, where it is 1.6 times
# faster; the log would hide relevant messages.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

try:
    tempfile.gettempdir()
except FileNotFoundError:
    # Under a read-only root there may be none; TensorFlow needs one on import, but writes nothing.
    tempfile.tempdir = os.sep

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from dctnet.models.errors import ModelError, os_error_reason
from dctnet.models.open_files import Readable
from dctnet.runtimes import Detector, Generator, Landmarker, signatures
from dctnet.runtimes.signatures import Run, Signature
from dctnet.runtimes.stderr_filter import filtered_stderr

with filtered_stderr():
    import tensorflow.compat.v1 as tf

__all__ = ["detector", "generator", "import_graph", "landmarker", "tf"]


def generator(path: Readable, threads: int) -> Generator:
    """Load a generator's frozen graph; raise ModelError."""
    return signatures.generator(_load_graph(path, signatures.GENERATOR, threads))


def detector(path: Readable, threads: int) -> Detector:
    """Load a face detector's frozen graph; raise ModelError."""
    return signatures.detector(_load_graph(path, signatures.DETECTOR, threads))


def landmarker(path: Readable, threads: int) -> Landmarker:
    """Load a landmark network's frozen graph; raise ModelError."""
    return signatures.landmarker(_load_graph(path, signatures.LANDMARKS, threads))


def import_graph(path: Readable) -> Any:
    """Read a frozen graph as a `tf.Graph`; raise ModelError if the file is none."""
    definition = tf.GraphDef()
    graph = tf.Graph()
    try:
        definition.ParseFromString(path.read_bytes())
        with graph.as_default():
            tf.import_graph_def(definition, name="")
    except OSError as error:
        raise ModelError(f"The graph {path} cannot be read: {os_error_reason(error)}.") from error
    except (DecodeError, ValueError) as error:
        raise ModelError(f"{path} is not a frozen TensorFlow graph.") from error
    return graph


def _load_graph(path: Readable, signature: Signature, threads: int) -> Run:
    """Return a thread-safe function from a frozen graph's image to its outputs.

    Raises ModelError if the graph cannot be read or lacks a tensor of upstream's.
    """
    graph = import_graph(path)
    flags = [] if signature is signatures.GENERATOR else [signatures.TRAINING]
    tensors = {f"{operation.name}:0" for operation in graph.get_operations()}
    for name in (*signature.outputs, signature.image, *flags):
        if name not in tensors:
            raise ModelError(f"{path} is not a DCT-Net graph: it has no tensor {name}.")
    config = tf.ConfigProto(
        intra_op_parallelism_threads=threads,
        # A network is a chain of operations: each caller runs it on its own thread instead of
        # waiting for a shared one.
        inter_op_parallelism_threads=-1,
        use_per_session_threads=True,
        allow_soft_placement=True,
    )
    config.gpu_options.allow_growth = True
    with filtered_stderr():  # The first session looks for a GPU.
        session = tf.Session(graph=graph, config=config)
    run = session.make_callable(list(signature.outputs), [signature.image, *flags])
    return lambda image: run(image, *(False for _ in flags))
