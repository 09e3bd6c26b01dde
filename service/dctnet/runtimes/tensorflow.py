"""The reference runtime: TensorFlow on the frozen graphs, as upstream computes them.

The only module of the serving process that knows TensorFlow. Upstream:
`modelscope/pipelines/cv/image_cartoon_pipeline.py` and `modelscope/models/cv/cartoon/facelib/`.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

# TensorFlow reads both on import: oneDNN is off by default on AMD processors, where it is
# 1.6 times faster, and the log would drown the one line a person needs.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

try:
    tempfile.gettempdir()
except FileNotFoundError:
    # A confined process may have none; TensorFlow asks for one on import, and writes nothing.
    tempfile.tempdir = os.sep

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from dctnet.models.errors import ModelError, reason
from dctnet.runtimes import Detector, Drawing, Floats, Generator, Landmarker, Networks, Pixels
from dctnet.runtimes.chatter import without_chatter

with without_chatter():
    import tensorflow.compat.v1 as tf

_LANDMARKS = 68


@without_chatter()  # The first session looks for a GPU.
def load(folder: Path, threads: int) -> Networks:
    """Load the frozen graphs of a model folder in the upstream format.

    `threads` is how many threads one call of a network may use. Raises ModelError where a graph
    cannot be read or lacks a tensor that upstream's has.
    """
    return Networks(
        background=_generator(folder / "cartoon_bg.pb", threads),
        head=_generator(folder / "cartoon_h.pb", threads),
        detector=_detector(folder / "detector.pb", threads),
        landmarks=_landmarker(folder / "keypoints.pb", threads),
    )


def _generator(path: Path, threads: int) -> Generator:
    run = _function(path, ["input_image:0"], ["output_image:0"], threads)

    def generate(picture: Pixels) -> Drawing:
        return cast("Drawing", run(picture)[0])

    return generate


def _detector(path: Path, threads: int) -> Detector:
    outputs = ["tower_0/boxes:0", "tower_0/scores:0", "tower_0/num_detections:0"]
    run = _function(path, ["tower_0/images:0", "training_flag:0"], outputs, threads)

    def detect(picture: Pixels) -> tuple[Floats, Floats]:
        boxes, scores, counts = run(picture[np.newaxis], False)
        count = int(counts[0])
        return boxes[0][:count], scores[0][:count]

    return detect


def _landmarker(path: Path, threads: int) -> Landmarker:
    inputs = ["tower_0/images:0", "training_flag:0"]
    run = _function(path, inputs, ["tower_0/prediction:0"], threads)

    def locate(face: Floats) -> Floats:
        (prediction,) = run(face[np.newaxis], False)
        landmarks: Floats = prediction[0, : 2 * _LANDMARKS].reshape(_LANDMARKS, 2)
        return landmarks

    return locate


def _function(
    path: Path, inputs: list[str], outputs: list[str], threads: int
) -> Callable[..., list[Any]]:
    """Return a thread-safe function from the inputs' to the outputs' values of a frozen graph."""
    definition = tf.GraphDef()
    graph = tf.Graph()
    try:
        definition.ParseFromString(path.read_bytes())
        with graph.as_default():
            tf.import_graph_def(definition, name="")
    except OSError as error:
        raise ModelError(f"The graph {path} cannot be read: {reason(error)}.") from error
    except (DecodeError, ValueError) as error:
        raise ModelError(f"{path} is not a frozen TensorFlow graph.") from error
    tensors = {f"{operation.name}:0" for operation in graph.get_operations()}
    for name in outputs + inputs:
        if name not in tensors:
            raise ModelError(f"{path} is not a graph of DCT-Net: it has no tensor {name}.")
    config = tf.ConfigProto(
        intra_op_parallelism_threads=threads,
        # A network is a chain of operations: each caller runs its own on its own thread, so that
        # callers do not queue for a shared one.
        inter_op_parallelism_threads=-1,
        use_per_session_threads=True,
        allow_soft_placement=True,
    )
    config.gpu_options.allow_growth = True
    session = tf.Session(graph=graph, config=config)
    function: Callable[..., list[Any]] = session.make_callable(outputs, inputs)
    return function
