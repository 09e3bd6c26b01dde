"""Graph of the face detector: BlazeFace at three scales, on eleven views in six batches.

The whole image covers faces of medium size, a grid of overlapping tiles small faces, and the image
at half size with a margin faces that fill the image.

Paper: "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", Bazarevsky et al.,
2019; boxes and scores are read as MediaPipe's `face_detection_full_range` does.
"""

from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from numpy.typing import NDArray

from shipped_styles.faces.tflite import Network

SIDE = 512
"""Side of the graph's image, in pixels."""

TILE = 224
"""Side of a tile in pixels; a face of up to 80 pixels is whole in at least one tile."""

TILES = 3
"""Number of tiles in each direction."""

HALF_SIZE = (-SIDE // 2, -SIDE // 2, SIDE + SIDE // 2, SIDE + SIDE // 2)
"""Area of the view at half size, as y1, x1, y2, x2 in pixels."""

BATCH = 2
"""Views that BlazeFace processes at once. Batches reuse the same memory, so larger ones take more
time for the pages of new memory: with three, detection takes a tenth longer. Smaller ones take more
copies of the network's nodes, and so time and memory to load: single views 45 ms and 5 MB more."""

NETWORK_SIDE = 192
GRID = 48
"""BlazeFace's cells in each direction, each with one anchor at its center."""

BOX_VALUES = 4
"""BlazeFace's outputs for a box: x, y, width and height; six points follow, which are unused."""

LOGIT_LIMIT = 100.0
"""Limit to which logits are clipped on both sides."""

LOGIT_MARGIN = 1e-3
"""How far below the threshold's logit a box is still decoded, so that rounding drops none."""

THRESHOLD = 0.66
"""BlazeFace score from which a box is a face."""

UPSTREAM_THRESHOLD = 0.8
"""Score from which upstream keeps a box; scores are shifted so that THRESHOLD becomes this."""

MAX_OVERLAP = 0.3
"""Intersection over union above which the box with the lower score is dropped."""

MAX_BOXES = 32

BOX_SCALE = 1.5 / 1.4
"""Enlargement of boxes: the mesh needs a crop of 1.5 boxes, upstream crops 1.4."""

Tensor = Any


def anchors() -> NDArray[np.float32]:
    """Return the anchors' centers, 2304x2 as x, y in 0..1, row by row."""
    middles = (np.arange(GRID, dtype=np.float32) + np.float32(0.5)) / np.float32(GRID)
    x, y = np.meshgrid(middles, middles)
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def frames() -> NDArray[np.float32]:
    """Return the area of each view, 11x4 as y1, x1, y2, x2 in 0..1: whole, tiles, half size."""
    tiles = [(y, x, y + TILE, x + TILE) for y, x in _tile_corners()]
    return np.array([(0, 0, SIDE, SIDE), *tiles, HALF_SIZE], np.float32) / np.float32(SIDE)


def _tile_corners() -> list[tuple[int, int]]:
    """Return each tile's y1, x1 in pixels."""
    starts = [i * (SIDE - TILE) // (TILES - 1) for i in range(TILES)]
    return [(y, x) for y in starts for x in starts]


def decode(raw: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the boxes, Nx4 as y1, x1, y2, x2 in 0..1 of the image, and their scores, N.

    `raw` is 11x2304x4 and `logits` 11x2304x1, BlazeFace's outputs for the views. Boxes below the
    threshold are omitted before decoding, which would take longer than a view. A box that crosses
    an inner border of its tile gets the score 0: its face is whole in another view.
    """
    logits = logits[:, :, 0]
    found = tf.where(logits > _logit(THRESHOLD) - LOGIT_MARGIN)
    raw, logits = tf.gather_nd(raw, found), tf.gather_nd(logits, found)
    middle = raw[:, 0:2] / NETWORK_SIDE + tf.gather(anchors(), found[:, 1])
    half = raw[:, 2:4] / (2 * NETWORK_SIDE)
    boxes = tf.concat([middle - half, middle + half], axis=1)
    boxes = tf.gather(boxes, [1, 0, 3, 2], axis=1)
    corners = frames()
    sides, origin = np.tile(corners[:, 2:] - corners[:, :2], 2), np.tile(corners[:, :2], 2)
    boxes = boxes * tf.gather(sides, found[:, 0]) + tf.gather(origin, found[:, 0])
    # The image's own border does not count: a face that crosses it is cut in every view.
    nearest = np.where(corners[:, :2] > 0, corners[:, :2], -np.inf).astype(np.float32)
    farthest = np.where(corners[:, 2:] < 1, corners[:, 2:], np.inf).astype(np.float32)
    whole = (boxes[:, :2] >= tf.gather(nearest, found[:, 0])) & (
        boxes[:, 2:] <= tf.gather(farthest, found[:, 0])
    )
    shift = _logit(UPSTREAM_THRESHOLD) - _logit(THRESHOLD)
    scores = tf.sigmoid(tf.clip_by_value(logits, -LOGIT_LIMIT, LOGIT_LIMIT) + shift)
    return boxes, scores * tf.cast(tf.reduce_all(whole, axis=1), tf.float32)


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def suppress(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Non-maximum suppression: return at most MAX_BOXES boxes, the highest score first.

    Drops boxes below upstream's threshold.
    """
    kept = tf.image.non_max_suppression(
        boxes, scores, MAX_BOXES, MAX_OVERLAP, score_threshold=UPSTREAM_THRESHOLD
    )
    return tf.gather(boxes, kept), tf.gather(scores, kept)


def enlarge(boxes: Tensor) -> Tensor:
    """Scale boxes, Nx4 as y1, x1, y2, x2, to squares by BOX_SCALE about their centers."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = tf.reduce_max(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True) * (BOX_SCALE / 2)
    return tf.concat([middle - half, middle + half], axis=1)


def views(images: Tensor) -> list[Tensor]:
    """Return the views of a 1x512x512x3 image in 0..255 for BlazeFace, eleven of 1x192x192x3."""
    images = images / 127.5 - 1.0
    # Average pooling after a smaller bilinear resize, which alone would skip pixels.
    whole = tf.nn.avg_pool2d(_resized(images, 2 * NETWORK_SIDE), 2, 2, "VALID")
    half = tf.nn.avg_pool2d(whole, 2, 2, "VALID")
    room = [NETWORK_SIDE // 4, NETWORK_SIDE // 4]
    half = tf.pad(half, [[0, 0], room, room, [0, 0]])
    tiles = [
        _resized(images[:, y : y + TILE, x : x + TILE], NETWORK_SIDE) for y, x in _tile_corners()
    ]
    return [whole, *tiles, half]


def _resized(images: Tensor, side: int) -> Tensor:
    return tf.raw_ops.ResizeBilinear(images=images, size=[side, side], half_pixel_centers=True)


def build(blazeface: bytes) -> Any:
    """Return the detector's GraphDef with upstream's tensors, from BlazeFace's TFLite file.

    From `tower_0/images:0`, float32 1x512x512x3 RGB in 0..255, to `tower_0/boxes:0`, 1x32x4 as
    y1, x1, y2, x2 in 0..1, `tower_0/scores:0`, 1x32, and `tower_0/num_detections:0`, (1,) int32.
    `training_flag:0` exists because upstream feeds it.
    """
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [1, SIDE, SIDE, 3], "tower_0/images")
        tf.placeholder(tf.bool, [], "training_flag")
        network = Network(blazeface, channels=BOX_VALUES)
        cut = views(images)
        batches = [tf.concat(cut[i : i + BATCH], axis=0) for i in range(0, len(cut), BATCH)]
        outputs = zip(*map(network, batches), strict=True)
        raw, logits = (tf.concat(values, axis=0) for values in outputs)
        boxes, scores = suppress(*decode(raw, logits))
        count = tf.shape(scores)
        rest = MAX_BOXES - count[0]
        boxes = tf.pad(enlarge(boxes), [[0, rest], [0, 0]])
        scores = tf.pad(scores, [[0, rest]])
        tf.reshape(boxes, [1, MAX_BOXES, 4], name="tower_0/boxes")
        tf.reshape(scores, [1, MAX_BOXES], name="tower_0/scores")
        tf.identity(count, name="tower_0/num_detections")
    return graph.as_graph_def()
