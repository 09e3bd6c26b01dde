"""A tiny model folder with frozen TensorFlow graphs.

Its cartoon is the negative of an image, with a red head if the image is bright. Its generators are
not those of DCT-Net; its face networks can be converted.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dctnet.models import manifest
from dctnet.models.manifest import Manifest
from dctnet.runtimes import Networks
from tests.support.landmarks import FRONTAL_FACE

NEGATIVE = Networks(
    background=lambda image: 255 - image,
    head=lambda image: image,
    detector=lambda image: (np.empty((0, 4), np.float32), np.empty(0, np.float32)),
    landmarks=lambda face: np.empty((0, 2), np.float32),
)
"""Networks that return the negative and find no face; they load instantly."""


def write_tiny_model(folder: Path) -> str:
    """Write the model into a new folder, with a manifest, and return the manifest's digest."""
    graphs = {name: graph.as_graph_def().SerializeToString() for name, graph in _graphs().items()}
    return _write(folder, graphs)


def write_model_without_graphs(folder: Path) -> str:
    """Write a model that can be verified but not loaded; needs no TensorFlow."""
    names = "cartoon_bg.pb", "cartoon_h.pb", "detector.pb", "keypoints.pb"
    return _write(folder, {name: f"no graph: {name}".encode() for name in names})


def _write(folder: Path, graphs: dict[str, bytes]) -> str:
    folder.mkdir(parents=True)
    for name, content in graphs.items():
        (folder / name).write_bytes(content)
    cv2.imwrite(str(folder / "alpha.jpg"), np.full((288, 288, 3), 255, np.uint8))
    (folder / "configuration.json").write_text(json.dumps({"framework": "Tensorflow"}))
    return describe(folder)


def describe(folder: Path, style: str = "tiny") -> str:
    """Write a manifest of the existing files and return its digest."""
    files = {
        path.name: manifest.record_file(path)
        for path in folder.iterdir()
        if path.name != manifest.FILE_NAME
    }
    return manifest.write(folder, Manifest(style, f"example/{style}", "v1", files))


def _graphs() -> dict[str, Any]:
    from dctnet.runtimes.tensorflow import tf  # Takes seconds.

    def generator(generated: Any) -> Any:
        with tf.Graph().as_default() as graph:
            image = tf.placeholder(tf.float32, [None, None, 3], "input_image")
            tf.cast(generated(image), tf.uint8, name="output_image")
        return graph

    with tf.Graph().as_default() as detector:
        images = tf.placeholder(tf.float32, [1, 512, 512, 3], "tower_0/images")
        tf.placeholder(tf.bool, [], "training_flag")
        tf.constant([[[0.3, 0.3, 0.7, 0.7]]], tf.float32, name="tower_0/boxes")
        bright = tf.reduce_mean(images[:, 100:400, 100:400], [1, 2, 3]) / 255
        tf.reshape(bright, [1, 1], name="tower_0/scores")
        tf.constant([1], tf.int32, name="tower_0/num_detections")

    with tf.Graph().as_default() as landmarks:
        tf.placeholder(tf.float32, [1, 160, 160, 3], "tower_0/images")
        tf.placeholder(tf.bool, [], "training_flag")
        numbers = np.concatenate([FRONTAL_FACE.ravel(), np.zeros(3 + 4, np.float32)])
        tf.constant(numbers[np.newaxis], name="tower_0/prediction")

    return {
        "cartoon_bg.pb": generator(lambda image: 255 - image),
        "cartoon_h.pb": generator(lambda image: image * 0 + [0, 0, 255]),
        "detector.pb": detector,
        "keypoints.pb": landmarks,
    }
