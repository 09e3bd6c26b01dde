"""A frozen FaceBoxes detector as TensorFlow 1 wrote it, with upstream's tensors, random weights.

It has the parts that are hard to convert: batch normalization that a `training_flag` switches with
`Switch` and `Merge`, and a non-maximum suppression for each image in the loop of `map_fn`.

Architecture: "FaceBoxes: A CPU Real-time Face Detector with High Accuracy", Zhang et al., 2017, as
the public implementations in TensorFlow have it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np

SIDE = 512
MAX_BOXES = 20
MIN_SCORE = 0.1
MAX_OVERLAP = 0.6

_ANCHORS = ((16, (1 / 16, 1 / 8, 1 / 4)), (8, (1 / 2,)), (4, (1,)))
"""Number of cells along a side, and the sides of each cell's boxes in 0..1."""


def write_faceboxes(seed: int = 0) -> bytes:
    """Return the frozen graph, serialized: the tensors' names and shapes are upstream's."""
    from dctnet.runtimes.tensorflow import tf

    with tf.Graph().as_default() as graph, _control_flow_of_tensorflow_1(tf):
        images = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], "tower_0/images")
        training = tf.placeholder(tf.bool, [], "training_flag")
        net = _FaceBoxes(tf, np.random.default_rng(seed), training)
        boxes, scores = net(images / 255.0 * 2.0 - 1.0)
        boxes, scores, counts = _suppress(tf, boxes, scores)
        tf.identity(boxes, name="tower_0/boxes")
        tf.identity(scores, name="tower_0/scores")
        tf.identity(counts, name="tower_0/num_detections")
    return bytes(graph.as_graph_def().SerializeToString())


@contextmanager
def _control_flow_of_tensorflow_1(tf: Any) -> Iterator[None]:
    tf.disable_control_flow_v2()
    try:
        yield
    finally:
        tf.enable_control_flow_v2()


class _FaceBoxes:
    def __init__(self, tf: Any, random: np.random.Generator, training: Any) -> None:
        self._tf, self._random, self._training = tf, random, training

    def __call__(self, x: Any) -> tuple[Any, Any]:
        """Return the boxes, Bx(anchors)x4 as y1, x1, y2, x2 in 0..1, and the scores."""
        tf = self._tf
        x = self._crelu(self._normalized(x, 24, 7, 4))
        x = tf.nn.max_pool2d(x, 3, 2, "SAME")
        x = self._crelu(self._normalized(x, 64, 5, 2))
        x = tf.nn.max_pool2d(x, 3, 2, "SAME")
        for _ in range(3):
            x = self._inception(x)
        features = [x]
        for _ in range(2):
            x = self._conv(x, 128, 1)
            x = self._conv(x, 256, 3, 2)
            features.append(x)
        encodings, logits = [], []
        for feature, (_, sides) in zip(features, _ANCHORS, strict=True):
            encodings.append(self._predict(feature, len(sides), 4))
            logits.append(self._predict(feature, len(sides), 2))
        scores = tf.nn.softmax(tf.concat(logits, axis=1) / 4.0 - [0.0, 1.0], axis=2)[:, :, 1]
        return self._decode(tf.concat(encodings, axis=1)), scores

    def _weights(self, *shape: int) -> Any:
        deviation = np.sqrt(2 / np.prod(shape[:-1]))
        values = (deviation * self._random.standard_normal(shape)).astype(np.float32)
        # A variable that was frozen is read through an Identity.
        return self._tf.identity(self._tf.constant(values))

    def _normalized(self, x: Any, channels: int, side: int, stride: int = 1) -> Any:
        tf = self._tf
        x = tf.nn.conv2d(x, self._weights(side, side, x.shape[-1], channels), stride, "SAME")
        scale, offset = tf.ones([channels]), tf.zeros([channels])
        mean = tf.constant(self._random.normal(0, 0.1, channels).astype(np.float32))
        variance = tf.constant(self._random.uniform(0.5, 1.5, channels).astype(np.float32))

        def trained() -> Any:
            return tf.nn.fused_batch_norm(x, scale, offset, epsilon=1e-3, is_training=True)[0]

        def frozen() -> Any:
            return tf.nn.fused_batch_norm(
                x, scale, offset, mean, variance, epsilon=1e-3, is_training=False
            )[0]

        return tf.cond(self._training, trained, frozen)

    def _crelu(self, x: Any) -> Any:
        return self._tf.nn.crelu(x, axis=3)

    def _conv(self, x: Any, channels: int, side: int, stride: int = 1) -> Any:
        return self._tf.nn.relu(self._normalized(x, channels, side, stride))

    def _inception(self, x: Any) -> Any:
        pooled = self._tf.nn.max_pool2d(x, 3, 1, "SAME")
        third = self._conv(self._conv(x, 24, 1), 32, 3)
        fourth = self._conv(self._conv(self._conv(x, 24, 1), 32, 3), 32, 3)
        paths = [self._conv(x, 32, 1), self._conv(pooled, 32, 1), third, fourth]
        return self._tf.concat(paths, axis=3)

    def _predict(self, x: Any, anchors: int, numbers: int) -> Any:
        tf = self._tf
        y = tf.nn.conv2d(x, self._weights(3, 3, x.shape[-1], anchors * numbers), 1, "SAME")
        size = tf.shape(y)
        count = size[1] * size[2] * anchors
        return tf.reshape(y, tf.stack([size[0], count, numbers]))

    def _decode(self, encodings: Any) -> Any:
        tf = self._tf
        anchors = tf.constant(_anchors())
        middle = encodings[..., :2] / 10.0 * anchors[:, 2:] + anchors[:, :2]
        half = tf.exp(tf.clip_by_value(encodings[..., 2:] / 5.0, -1.0, 1.0)) * anchors[:, 2:] / 2.0
        return tf.clip_by_value(tf.concat([middle - half, middle + half], axis=2), 0.0, 1.0)


def _anchors() -> Any:
    """Return the anchors as y, x of the middle, height, width in 0..1, Nx4 float32."""
    return np.float32(
        [
            (y / cells, x / cells, side, side)
            for cells, sides in _ANCHORS
            for y, x, side in product(np.arange(cells) + 0.5, np.arange(cells) + 0.5, sides)
        ]
    )


def _suppress(tf: Any, boxes: Any, scores: Any) -> tuple[Any, Any, Any]:
    def one_image(pair: tuple[Any, Any]) -> tuple[Any, Any, Any]:
        boxes, scores = pair
        likely = tf.squeeze(tf.where(tf.greater_equal(scores, MIN_SCORE)), axis=1)
        boxes, scores = tf.gather(boxes, likely), tf.gather(scores, likely)
        kept = tf.image.non_max_suppression(boxes, scores, MAX_BOXES, MAX_OVERLAP)
        boxes, scores = tf.gather(boxes, kept), tf.gather(scores, kept)
        count = tf.shape(boxes)[0]
        boxes = tf.pad(boxes, [[0, MAX_BOXES - count], [0, 0]])
        scores = tf.pad(scores, [[0, MAX_BOXES - count]])
        return tf.ensure_shape(boxes, [MAX_BOXES, 4]), tf.ensure_shape(scores, [MAX_BOXES]), count

    found: tuple[Any, Any, Any] = tf.map_fn(
        one_image,
        (boxes, scores),
        dtype=(tf.float32, tf.float32, tf.int32),
        parallel_iterations=8,
        back_prop=False,
    )
    return found
