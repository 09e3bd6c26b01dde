"""TensorFlow runtime, on frozen graphs small enough to compute by hand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.models.open_files import OpenFiles
from dctnet.runtimes import Networks, selection
from tests.support.lazy_import import LazyModule
from tests.support.tiny_model import write_tiny_model

tensorflow = LazyModule("dctnet.runtimes.tensorflow")

pytestmark = pytest.mark.xdist_group("tensorflow")


GRAPHS = ["cartoon_bg.pb", "cartoon_h.pb", "detector.pb", "keypoints.pb"]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, with a head whose values leave 0..255; not to be changed."""
    folder = tmp_path_factory.mktemp("graphs") / "tiny"
    write_tiny_model(folder)
    with tensorflow.tf.Graph().as_default() as graph:
        image = tensorflow.tf.placeholder(tensorflow.tf.float32, [None, None, 3], "input_image")
        tensorflow.tf.multiply(image, 2, name="output_image")
    (folder / "cartoon_h.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder


@pytest.fixture
def folder(tmp_path: Path, graphs: Path) -> Path:
    return Path(shutil.copytree(graphs, tmp_path / "graphs"))


def load(folder: Path) -> Networks:
    """Load the model in a folder."""
    files = OpenFiles(folder, (path.name for path in folder.iterdir()))
    model = ModelFolder(folder, "test", "test", "", None, "no manifest", files=files)
    return selection.load(model, threads=1)


def test_background_and_head_have_separate_graphs(graphs):
    networks = load(graphs)
    image = np.arange(16 * 16 * 3, dtype=np.uint32).reshape(16, 16, 3).astype(np.uint8)
    assert np.array_equal(networks.background(image), 255 - image)
    assert networks.background(image).dtype == np.uint8
    assert np.array_equal(networks.head(image), image * np.float32(2))
    assert networks.head(image).dtype == np.float32


@pytest.mark.parametrize("name", GRAPHS)
def test_missing_graph_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} cannot be read: .*\.$"):
        load(folder)


@pytest.mark.parametrize("name", GRAPHS)
def test_invalid_graph_file_is_named(folder, name):
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
def test_graph_of_another_network_is_rejected_with_missing_tensor(folder, name, tensor):
    (folder / name).write_bytes(b"")  # A graph without a node.
    message = f"{name} is not a DCT-Net graph: it has no tensor {tensor}:0.$"
    with pytest.raises(ModelError, match=message):
        load(folder)


def test_import_is_silent_and_enables_onednn(tmp_path):
    """A line written during the import passes."""
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
