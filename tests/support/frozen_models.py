"""Frozen graphs with the structure of the public models and random weights.

The face networks have the operations and tensors that TensorFlow 1.13 froze, in the order of the
public code (https://github.com/610265158/faceboxes-tensorflow and
https://github.com/610265158/face_landmark, branch `tf1`). So they have the same parts that are hard
to convert: batch normalization that `training_flag` switches with `Switch` and `Merge`, a
non-maximum suppression for each image in the loop of `map_fn`, and a channel shuffle by dynamic
shapes.

Architectures: FaceBoxes (Zhang et al., 2017) and ShuffleNetV2 (Ma et al., 2018).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from dctnet.models.folder import SHIPPED_COMMON
from tests.support.landmarks import FRONTAL_FACE

MEAN = (123.0, 116.0, 103.0)
"""Mean of the pixels, which both networks subtract."""

DETECTOR_SIDE = 512
CELLS = (32, 16, 8)
"""Cells along a side of the detector's three feature maps."""
ANCHORS = (((32, 4), (64, 2), (128, 1)), ((256, 1),), ((512, 1),))
"""Side of each map's anchors in 1/1024 of the image, and how many stand in a cell along a side."""
MIN_SCORE, MAX_OVERLAP, MAX_BOXES = 0.05, 0.3, 100

FACE_LOGIT = -2.5
"""Mean logit of a large anchor: some images then have no face, and some ten."""
SPREADS = {"cla": 1.0, "reg": 0.1}
"""Deviation of logits and encoded boxes."""

LANDMARKS_SIDE = 160
OUTPUTS = 143
"""68 landmarks as x, y; 3 angles of the head; 4 states of eyes and mouth."""
STAGES = ((4, 116), (8, 232), (4, 464))
"""Units and output channels of the stages of ShuffleNetV2 1.0."""


def write_public_structure(folder: Path, seed: int = 0) -> None:
    """Write a model folder in the upstream format, without a manifest."""
    from shipped_styles.upstream import CONFIGURATION  # Imports TensorFlow.

    folder.mkdir(parents=True)
    generator = frozen_generator(seed)
    for name in ("cartoon_bg.pb", "cartoon_h.pb"):
        (folder / name).write_bytes(generator)
    (folder / "detector.pb").write_bytes(frozen_detector(seed))
    (folder / "keypoints.pb").write_bytes(frozen_landmark_network(seed))
    shutil.copyfile(SHIPPED_COMMON / "alpha.jpg", folder / "alpha.jpg")
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION))


def frozen_generator(seed: int = 0) -> bytes:
    """Return a generator's frozen graph, serialized: each weight is read through an identity."""
    from dctnet.runtimes.tensorflow import tf
    from shipped_styles import network
    from shipped_styles.initial_weights import WEIGHT_SHAPES, random_weights

    graph = network.frozen_graph(random_weights(seed))
    graph = tf.graph_util.extract_sub_graph(graph, ["output_image"])
    _use_old_operations(graph)
    for node in graph.node:
        node.input[:] = [f"{n}/read" if n in WEIGHT_SHAPES else n for n in node.input]
    for name in WEIGHT_SHAPES:
        read = graph.node.add(name=f"{name}/read", op="Identity", input=[name])
        read.attr["T"].type = tf.float32.as_datatype_enum
    return bytes(graph.SerializeToString(deterministic=True))


def frozen_detector(seed: int = 0) -> bytes:
    """Return a face detector's frozen graph, serialized."""
    with _tower(DETECTOR_SIDE) as (tf, images, training):
        layers = _Layers(tf, seed, training)
        encodings, scores = _faceboxes(tf, layers, images - tf.constant(MEAN))
        boxes, scores, counts = _suppress(tf, _decode(tf, encodings), scores)
        tf.identity(boxes, name="boxes")
        tf.identity(scores, name="scores")
        tf.identity(counts, name="num_detections")
        return _freeze(tf, "tower_0/boxes", "tower_0/scores", "tower_0/num_detections")


def frozen_landmark_network(seed: int = 0) -> bytes:
    """Return a landmark network's frozen graph, serialized."""
    with _tower(LANDMARKS_SIDE) as (tf, images, training):
        layers = _Layers(tf, seed, training)
        deviations = np.array([58, 57, 57], np.float32)
        pooled = _shufflenet(tf, layers, (images - tf.constant(MEAN)) * tf.constant(1 / deviations))
        frontal = np.concatenate([FRONTAL_FACE.ravel(), np.zeros(OUTPUTS - FRONTAL_FACE.size)])
        numbers = layers.linear(pooled, "logits", 1, frontal, spread=0.02)
        tf.identity(tf.squeeze(numbers, [1, 2], name="SpatialSqueeze"), name="prediction")
        return _freeze(tf, "tower_0/prediction")


@contextmanager
def _tower(side: int) -> Iterator[tuple[Any, Any, Any]]:
    """Enter a graph with the inputs of a face network; yield TensorFlow and the inputs."""
    from dctnet.runtimes.tensorflow import tf

    with tf.Graph().as_default():
        tf.disable_control_flow_v2()
        try:
            training = tf.placeholder(tf.bool, name="training_flag")
            with tf.name_scope("tower_0"):
                yield tf, tf.placeholder(tf.float32, [None, side, side, 3], "images"), training
        finally:
            tf.enable_control_flow_v2()


def _freeze(tf: Any, *outputs: str) -> bytes:
    """Serialize what the outputs need, with the shapes and operations of TensorFlow 1.13."""
    graph = tf.get_default_graph().as_graph_def(add_shapes=True)
    kept = ["tower_0/images", "training_flag", *outputs]
    graph = tf.graph_util.extract_sub_graph(graph, kept)
    _use_old_operations(graph)
    nodes = {node.name: node for node in graph.node}
    for node in list(graph.node):
        if node.op == "TensorArrayGatherV3":
            # TensorFlow 1 asks an array for its size, which TensorFlow 2 knows.
            array, indices, flow = node.input
            name = f"{indices.rpartition('/')[0]}/TensorArraySizeV3"
            size = graph.node.add(name=name, op="TensorArraySizeV3", input=[array, flow])
            size.attr["_output_shapes"].list.shape.add()
            nodes[indices].input[1] = name
    return bytes(graph.SerializeToString(deterministic=True))


def _use_old_operations(graph: Any) -> None:
    for node in graph.node:
        if node.op == "AddV2":
            node.op = "Add"


class _Layers:
    """Layers in the form in which `tf.contrib.slim` writes them, with random weights."""

    def __init__(self, tf: Any, seed: int, training: Any) -> None:
        self._tf, self._training = tf, training
        self._random = np.random.default_rng(seed)

    def conv(
        self, x: Any, scope: str, channels: int, side: int, stride: int = 1, variance: float = 1.0
    ) -> Any:
        """Convolve and normalize; ``variance`` is that of the convolution's output."""
        kernel = self._kernel(f"{scope}/weights", side, side, int(x.shape[-1]), channels)
        x = self._tf.nn.conv2d(x, kernel, stride, "SAME")
        return self._normalize(x, f"{scope}/BatchNorm", variance)

    def depthwise(self, x: Any, scope: str, stride: int) -> Any:
        x = self._depthwise(x, scope, stride)
        return self._normalize(x, f"{scope}/BatchNorm")

    def separable(self, x: Any, scope: str, channels: int, stride: int) -> Any:
        x = self._depthwise(x, scope, stride)
        kernel = self._kernel(f"{scope}/pointwise_weights", 1, 1, int(x.shape[-1]), channels)
        x = self._tf.nn.conv2d(x, kernel, 1, "VALID")
        return self._normalize(x, f"{scope}/BatchNorm")

    def linear(self, x: Any, scope: str, side: int, biases: Any, spread: float) -> Any:
        """Convolve without normalization; ``spread`` is the deviation of the result."""
        biases = np.float32(biases)
        kernel = self._kernel(
            f"{scope}/weights", side, side, int(x.shape[-1]), len(biases), spread=spread
        )
        x = self._tf.nn.conv2d(x, kernel, 1, "SAME")
        return self._tf.nn.bias_add(x, self._variable(f"{scope}/biases", biases))

    def _depthwise(self, x: Any, scope: str, stride: int) -> Any:
        kernel = self._kernel(f"{scope}/depthwise_weights", 3, 3, int(x.shape[-1]), 1)
        return self._tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME")

    def _kernel(self, name: str, *shape: int, spread: float = 2**0.5) -> Any:
        inputs = shape[0] * shape[1] * (1 if name.endswith("depthwise_weights") else shape[2])
        return self._variable(name, self._random.normal(0, spread / inputs**0.5, shape))

    def _normalize(self, x: Any, scope: str, variance: float = 1.0) -> Any:
        tf, random, channels = self._tf, self._random, int(x.shape[-1])
        deviation = variance**0.5
        statistics = {
            "gamma": random.uniform(0.8, 1.2, channels),
            "beta": random.normal(0, 0.1, channels),
            "moving_mean": random.normal(0, 0.1 * deviation, channels),
            "moving_variance": random.uniform(0.5, 1.5, channels) * variance,
        }
        gamma, beta, mean, variances = (
            self._variable(f"{scope}/{name}", values) for name, values in statistics.items()
        )

        def normalized(mean: Any, variance: Any, training: bool) -> Any:
            outputs = tf.raw_ops.FusedBatchNorm(
                x=x,
                scale=gamma,
                offset=beta,
                mean=mean,
                variance=variance,
                epsilon=1e-5,
                is_training=training,
            )
            return outputs.y

        return tf.cond(
            self._training,
            lambda: normalized(tf.constant([]), tf.constant([]), True),
            lambda: normalized(mean, variances, False),
        )

    def _variable(self, name: str, values: Any) -> Any:
        with self._tf.name_scope(None):
            constant = self._tf.constant(np.float32(values), name=name)
            return self._tf.identity(constant, name=f"{name}/read")


def _faceboxes(tf: Any, layers: _Layers, x: Any) -> tuple[Any, Any]:
    """Return the encoded boxes, Bx(anchors)x4, and the scores, Bx(anchors)."""
    relu = tf.nn.relu
    x = relu(layers.conv(x, "init_conv1", 12, 7, 2, variance=6000))
    x = tf.nn.crelu(layers.conv(x, "init_conv2", 24, 3, 2))
    x = relu(layers.conv(x, "conv1x1_before1", 32, 3, 2))
    x = tf.nn.crelu(layers.conv(x, "conv1x1_before2", 64, 3, 2))
    for block in range(1, 4):
        x = _inception(tf, layers, x, f"inception{block}")
    maps = [x]
    for level in (3, 4):
        x = relu(layers.conv(x, f"conv{level}_1", 128, 1))
        x = relu(layers.conv(x, f"conv{level}_2", 256, 3, 2))
        maps.append(x)
    encodings = [_predict(tf, layers, x, level, "reg", 4) for level, x in enumerate(maps)]
    encoded = tf.concat(encodings, axis=1)
    logits = [_predict(tf, layers, x, level, "cla", 2) for level, x in enumerate(maps)]
    return encoded, tf.nn.softmax(tf.concat(logits, axis=1), axis=2)[:, :, 1]


def _inception(tf: Any, layers: _Layers, x: Any, scope: str) -> Any:
    def conv(x: Any, name: str, channels: int, side: int) -> Any:
        return tf.nn.relu(layers.conv(x, f"{scope}/{name}", channels, side))

    first = conv(x, "conv_1x1_path1", 32, 1)
    second = conv(tf.nn.avg_pool2d(x, 3, 1, "SAME"), "conv_1x1_path2", 32, 1)
    third = conv(conv(x, "conv_1x1_path3", 24, 1), "conv_3x3_path3", 32, 3)
    fourth = conv(conv(x, "conv_1x1_path4", 24, 1), "conv_3x3_path4", 32, 3)
    fourth = conv(fourth, "conv_3x3_second_path4", 32, 3)
    return tf.concat([first, second, third, fourth], axis=3)


def _predict(tf: Any, layers: _Layers, x: Any, level: int, kind: str, numbers: int) -> Any:
    """Predict the ``numbers`` of each anchor of a feature map: Bx(anchors)x(numbers)."""
    cells, anchors = CELLS[level], sum(count**2 for _, count in ANCHORS[level])
    biases = np.zeros((anchors, numbers))
    if kind == "cla":
        # Small boxes are no faces: the engine skips those of at most 60 pixels.
        sides = np.concatenate([[side] * count**2 for side, count in ANCHORS[level]])
        biases[:, 1] = np.where(sides < 100, -100, FACE_LOGIT)
    y = layers.linear(x, f"level{level + 1}_{kind}_out", 3, biases.ravel(), spread=SPREADS[kind])
    y = tf.reshape(y, [-1, cells, cells, anchors, numbers])
    return tf.reshape(y, [-1, cells * cells * anchors, numbers])


def anchors() -> Any:
    """Return the detector's anchors as y1, x1, y2, x2 in 0..1, Nx4 float32."""
    boxes = []
    for cells, sizes in zip(CELLS, ANCHORS, strict=True):
        # Anchors that stand in one cell together are shifted by their side's share.
        shifts = [
            (side / 1024, (np.array(shift) + 0.5) / count - 0.5)
            for side, count in sizes
            for shift in product(range(count), repeat=2)
        ]
        for cell in product(range(cells), repeat=2):
            middle = (np.array(cell) + 0.5) / cells
            for side, shift in shifts:
                center = middle + side * shift
                boxes.append((*(center - side / 2), *(center + side / 2)))
    return np.clip(np.array(boxes, np.float32), 0, 1)


def _decode(tf: Any, encodings: Any) -> Any:
    """Return the boxes as y1, x1, y2, x2 in 0..1: each corner is relative to the anchor's."""
    size, count = tf.shape(encodings)[0], tf.shape(encodings)[1]
    tiled = tf.tile(tf.expand_dims(anchors(), 0), [size, 1, 1])
    flat, anchor = tf.reshape(encodings, [-1, 4]), tf.reshape(tiled, [-1, 4])
    height, width = anchor[:, 2] - anchor[:, 0], anchor[:, 3] - anchor[:, 1]
    offsets = [offset / 5.0 for offset in tf.unstack(flat, axis=1)]
    sides = (height, width, height, width)
    corners = [offset * side for offset, side in zip(offsets, sides, strict=True)]
    corners = [corner + anchor[:, place] for place, corner in enumerate(corners)]
    boxes = tf.reshape(tf.stack(corners, axis=1), [size, count, 4])
    return tf.clip_by_value(tf.clip_by_value(boxes, 0.0, 1.0), 0.0, 1.0)


def _suppress(tf: Any, boxes: Any, scores: Any) -> tuple[Any, Any, Any]:
    def of_one_image(pair: tuple[Any, Any]) -> tuple[Any, Any, Any]:
        boxes, scores = pair
        likely = tf.squeeze(tf.where(tf.greater_equal(scores, MIN_SCORE)), axis=1)
        boxes, scores = tf.gather(boxes, likely), tf.gather(scores, likely)
        kept = tf.image.non_max_suppression(boxes, scores, MAX_BOXES, MAX_OVERLAP)
        boxes, scores = tf.gather(boxes, kept), tf.gather(scores, kept)
        count = tf.shape(boxes)[0]
        missing = MAX_BOXES - count
        boxes = tf.pad(boxes, [[0, missing], [0, 0]])
        scores = tf.pad(scores, [[0, missing]])
        boxes.set_shape([MAX_BOXES, 4])
        scores.set_shape([MAX_BOXES])
        return boxes, scores, count

    found: tuple[Any, Any, Any] = tf.map_fn(
        of_one_image,
        (boxes, scores),
        dtype=(tf.float32, tf.float32, tf.int32),
        parallel_iterations=8,
        back_prop=False,
    )
    return found


def _shufflenet(tf: Any, layers: _Layers, x: Any) -> Any:
    """Return the pooled outputs of all stages, Bx1x1x812."""
    scope = "ShuffleNetV2"
    x = tf.nn.relu(layers.conv(x, f"{scope}/init_conv", 24, 3, 2))
    x = tf.nn.relu(layers.separable(x, f"{scope}/init_conv_2", 32, 2))
    pooled = []
    for stage, (units, channels) in enumerate(STAGES, start=2):
        x = _stage(tf, layers, x, f"{scope}/Stage{stage}", units, channels)
        pooled.append(tf.reduce_mean(x, [1, 2], keepdims=True, name=f"pool{stage - 1}"))
    return tf.concat(pooled, 3)


def _stage(tf: Any, layers: _Layers, x: Any, scope: str, units: int, channels: int) -> Any:
    relu, unit = tf.nn.relu, f"{scope}/unit_1"
    y = relu(layers.conv(x, f"{unit}/conv1x1_before", int(x.shape[-1]), 1))
    y = layers.depthwise(y, f"{unit}/depthwise", 2)
    y = relu(layers.conv(y, f"{unit}/conv1x1_after", channels // 2, 1))
    x = layers.depthwise(x, f"{unit}/second_branch/depthwise", 2)
    x = relu(layers.conv(x, f"{unit}/second_branch/conv1x1_after", channels // 2, 1))
    for number in range(2, units + 1):
        unit = f"{scope}/unit_{number}"
        x, y = _shuffle(tf, x, y)
        x = relu(layers.conv(x, f"{unit}/conv1x1_before", channels // 2, 1))
        x = layers.depthwise(x, f"{unit}/depthwise", 1)
        x = relu(layers.conv(x, f"{unit}/conv1x1_after", channels // 2, 1))
    return tf.concat([x, y], axis=3)


def _shuffle(tf: Any, x: Any, y: Any) -> Any:
    """Interleave the channels of two tensors, and split them in two halves again."""
    shape = tf.shape(x)
    size, height, width = shape[0], shape[1], shape[2]
    both = tf.transpose(tf.stack([x, y], axis=3), [0, 1, 2, 4, 3])
    shuffled = tf.reshape(both, [size, height, width, 2 * int(x.shape[3])])
    return tf.split(shuffled, 2, axis=3)
