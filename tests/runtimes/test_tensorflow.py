"""The TensorFlow runtime, on frozen graphs that are small enough to calculate by hand."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dctnet.models.errors import ModelError
from dctnet.models.files import OpenFiles
from dctnet.models.folder import ModelFolder
from dctnet.runtimes import Networks, choice

pytestmark = pytest.mark.xdist_group("tensorflow")


def _write(path: Path, build: Callable[[Any], Any]) -> None:
    from dctnet.runtimes.tensorflow import tf  # Costs seconds.

    with tf.Graph().as_default() as graph:
        build(tf)
    path.write_bytes(graph.as_graph_def().SerializeToString())


def _inverted(tf: Any) -> None:
    picture = tf.placeholder(tf.float32, [None, None, 3], "input_image")
    tf.cast(255 - picture, tf.uint8, name="output_image")


def _doubled(tf: Any) -> None:
    picture = tf.placeholder(tf.float32, [None, None, 3], "input_image")
    tf.multiply(picture, 2, name="output_image")


def _three_boxes_of_which_two_count(tf: Any) -> None:
    images = tf.placeholder(tf.float32, [1, 512, 512, 3], "tower_0/images")
    tf.placeholder(tf.bool, [], "training_flag")
    boxes = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0.0, 0.0, 0.0, 0.0]]
    tf.constant([boxes], tf.float32, name="tower_0/boxes")
    scores = tf.constant([[1.0, 0.5, 0.0]]) * tf.reduce_max(images) / 255
    tf.identity(scores, name="tower_0/scores")
    tf.constant([2], tf.int32, name="tower_0/num_detections")


def _numbers_times_the_mean(tf: Any) -> None:
    images = tf.placeholder(tf.float32, [1, 160, 160, 3], "tower_0/images")
    tf.placeholder(tf.bool, [], "training_flag")
    numbers = tf.range(143.0)[tf.newaxis] * tf.reduce_mean(images)
    tf.identity(numbers, name="tower_0/prediction")


GRAPHS = {
    "cartoon_bg.pb": _inverted,
    "cartoon_h.pb": _doubled,
    "detector.pb": _three_boxes_of_which_two_count,
    "keypoints.pb": _numbers_times_the_mean,
}


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of them, not to be changed."""
    folder = tmp_path_factory.mktemp("graphs")
    for name, build in GRAPHS.items():
        _write(folder / name, build)
    return folder


@pytest.fixture
def folder(tmp_path: Path, graphs: Path) -> Path:
    return Path(shutil.copytree(graphs, tmp_path / "graphs"))


def load(folder: Path) -> Networks:
    """Load what is in a folder now."""
    files = OpenFiles(folder, (path.name for path in folder.iterdir()))
    model = ModelFolder(folder, "test", "test", "", None, "no manifest", files=files)
    return choice.load(model, threads=1)


@pytest.fixture(scope="module")
def networks(graphs: Path) -> Networks:
    return load(graphs)


def test_the_background_and_the_head_have_a_graph_each(networks):
    picture = np.arange(16 * 16 * 3, dtype=np.uint32).reshape(16, 16, 3).astype(np.uint8)
    assert np.array_equal(networks.background(picture), 255 - picture)
    assert networks.background(picture).dtype == np.uint8
    assert np.array_equal(networks.head(picture), picture * np.float32(2))
    assert networks.head(picture).dtype == np.float32


def test_only_the_boxes_that_count_are_returned(networks):
    boxes, scores = networks.detector(np.full((512, 512, 3), 255, np.uint8))
    assert boxes == pytest.approx(np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]))
    assert scores == pytest.approx([1.0, 0.5])


def test_landmarks_are_the_first_136_numbers_as_x_and_y(networks):
    landmarks = networks.landmarks(np.full((160, 160, 3), 2, np.float32))
    assert np.array_equal(landmarks, 2 * np.arange(136, dtype=np.float32).reshape(68, 2))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_that_is_not_there_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} cannot be read: .*\.$"):
        load(folder)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_file_that_is_no_graph_is_named(folder, name):
    (folder / name).write_bytes(b"no graph")
    with pytest.raises(ModelError, match=rf"{name} is not a frozen TensorFlow graph\.$"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("cartoon_bg.pb", "output_image"),
        ("cartoon_h.pb", "output_image"),
        ("detector.pb", "tower_0/boxes"),
        ("keypoints.pb", "tower_0/prediction"),
    ],
)
def test_a_graph_of_another_network_is_named_with_what_it_lacks(folder, name, tensor):
    _write(folder / name, lambda tf: tf.constant(1))
    said = f"{name} is not a graph of DCT-Net: it has no tensor {tensor}:0.$"
    with pytest.raises(ModelError, match=said):
        load(folder)


def test_its_import_is_silent_hides_nothing_and_turns_onednn_on(tmp_path):
    """A line that something writes in the midst of the import comes through."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'tensorflow.python':\n"
        "            os.write(2, b'a line from elsewhere\\n')\n"
        "sys.meta_path.insert(0, Finder)\n"
    )
    program = (
        "from os import environ; import dctnet.runtimes.tensorflow;"
        "print('CUDA_VISIBLE_DEVICES' in environ, environ['TF_ENABLE_ONEDNN_OPTS'])"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "CUDA_", "COV_"))}
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == "a line from elsewhere\n"
    assert run.stdout == "False 1\n"
