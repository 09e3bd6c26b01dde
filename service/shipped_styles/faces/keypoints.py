"""Graph of the landmark network: MediaPipe's face mesh, run three times.

The mesh expects an upright, centered face. Each run estimates position and rotation, and the next
one gets the face upright, as MediaPipe does between video frames. Paper: "Real-time
Facial Surface Geometry from Monocular Video on Mobile GPUs", Kartynnik et al., 2019.
"""

from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from shipped_styles.faces import ibug
from shipped_styles.faces.tflite import Network

SIDE = 160
"""Side of the graph's image, in pixels."""

MESH_SIDE = 192

RUNS = 3
"""Number of runs: a face rotated by 30 degrees is upright in the third, not in the second."""

ROOM = 1.5
"""Side of the mesh's input, in lengths of the face's longer side."""

STATES = 4
"""Outputs of upstream's network for eyes and mouth, which are unused and always 0 here."""

_LEFT, _RIGHT = 33, 263
"""Mesh points of the outer eye corners, left and right in the image."""

_FOREHEAD, _CHIN = 10, 152

Tensor = Any


def locate(network: Network, image: Tensor) -> Tensor:
    """Return the mesh of a 1x192x192x3 image in 0..1, 468x3 as x, y, z in 0..1 of its side."""
    points, _ = network(image)
    return tf.reshape(points, [ibug.MESH_POINTS, 3]) / MESH_SIDE


def upright_frame(mesh: Tensor) -> tuple[Tensor, Tensor]:
    """Return the frame of a mesh, 468x3: center, 1x2, and axes, 2x2, in the mesh's unit.

    The rows of the axes are the sides, right and down relative to the face, of a square around the
    face that is ROOM times as long as the face.
    """
    across = mesh[_RIGHT, :2] - mesh[_LEFT, :2]
    across /= tf.norm(across) + 1e-6
    rotation = tf.stack([across, tf.stack([-across[1], across[0]])])
    turned = tf.matmul(mesh[:, :2], rotation, transpose_b=True)
    low, high = tf.reduce_min(turned, axis=0), tf.reduce_max(turned, axis=0)
    middle = tf.matmul([(low + high) / 2], rotation)
    return middle, rotation * tf.reduce_max(high - low) * ROOM


def pixel_squares(image: Tensor) -> Tensor:
    """Return each square of 2x2 neighbouring pixels of a 1xSxSx3 image, (S-1)²x12, row by row."""
    above = tf.concat([image[:, :-1, :-1], image[:, :-1, 1:]], axis=3)
    below = tf.concat([image[:, 1:, :-1], image[:, 1:, 1:]], axis=3)
    return tf.reshape(tf.concat([above, below], axis=3), [-1, 12])


def resample(squares: Tensor, side: int, middle: Tensor, axes: Tensor) -> Tensor:
    """Sample a frame's square from an image's `pixel_squares`, 1x192x192x3, bilinear.

    Repeats the image's border outside the image, whose side is `side` pixels.
    """
    steps = (np.arange(MESH_SIDE, dtype=np.float32) + np.float32(0.5)) / MESH_SIDE - np.float32(0.5)

    def along(axis: int) -> tuple[Tensor, Tensor]:
        """Return the first pixel of each position along an axis, and the weight of the next."""
        down = steps[:, np.newaxis] * axes[1, axis] + middle[0, axis]
        positions = (steps * axes[0, axis] + down) * float(side) - 0.5
        positions = tf.clip_by_value(positions, 0.0, side - 1.0)
        first = tf.minimum(tf.floor(positions), side - 2.0)
        return first, positions - first

    # Rows of 192 numbers, because ONNX Runtime is slow where the last axis is short.
    (x, right), (y, down) = along(0), along(1)
    selected = tf.reshape(tf.cast(y * (side - 1.0) + x, tf.int32), [-1])
    pixels = tf.reshape(tf.transpose(tf.gather(squares, selected)), [4, 3, MESH_SIDE, MESH_SIDE])
    weights = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down]
    sampled = tf.reduce_sum(pixels * tf.stack(weights)[:, tf.newaxis], axis=0)
    return tf.expand_dims(tf.transpose(sampled, [1, 2, 0]), 0)


def pose(mesh: Tensor, axes: Tensor) -> Tensor:
    """Return pitch, yaw and roll in right angles, 3, of a mesh, 468x3, in a frame's axes."""
    down = mesh[_CHIN] - mesh[_FOREHEAD]
    across = mesh[_RIGHT] - mesh[_LEFT]
    pitch, yaw = tf.atan2(down[2], down[1]), tf.atan2(across[2], across[0])
    roll = tf.atan2(axes[0, 1], axes[0, 0])
    return tf.stack([pitch, yaw, roll]) / (np.pi / 2)


def build(face_mesh: bytes) -> Any:
    """Return the landmark network's GraphDef with upstream's tensors, from the mesh's TFLite file.

    From `tower_0/images:0`, float32 1x160x160x3 RGB in 0..255, to `tower_0/prediction:0`, 1x143: 68
    landmarks as x, y in 0..1 of the image, the pose, and the states, which are 0 (undecided).
    `training_flag:0` exists because upstream feeds it.
    """
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [1, SIDE, SIDE, 3], "tower_0/images")
        tf.placeholder(tf.bool, [], "training_flag")
        network = Network(face_mesh)
        middle, axes = tf.constant([[0.5, 0.5]]), tf.eye(2)
        images = images / 255.0
        squares = pixel_squares(images)
        mesh = locate(
            network,
            tf.raw_ops.ResizeBilinear(
                images=images, size=[MESH_SIDE, MESH_SIDE], half_pixel_centers=True
            ),
        )
        for _ in range(RUNS - 1):
            inner_middle, inner_axes = upright_frame(mesh)
            middle += tf.matmul(inner_middle - 0.5, axes)
            axes = tf.matmul(inner_axes, axes)
            mesh = locate(network, resample(squares, SIDE, middle, axes))
        landmarks = tf.gather(mesh[:, :2], ibug.LANDMARKS)
        landmarks = tf.matmul(landmarks - 0.5, axes) + middle
        values = [tf.reshape(landmarks, [-1]), pose(mesh, axes), tf.zeros([STATES])]
        tf.expand_dims(tf.concat(values, axis=0), 0, name="tower_0/prediction")
    return graph.as_graph_def()
