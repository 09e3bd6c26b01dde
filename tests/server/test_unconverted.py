"""A prepared model whose detector does not convert says so wherever it is asked."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dctnet.models.folder import open_folder
from dctnet.runtimes import choice
from tests.support.absent import run_without
from tests.support.faceboxes import write_faceboxes
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving
from tests.support.repo import DCTNET
from tests.support.tiny_model import describe

NODE = "the node 'tower_0/scores': the operation Erfinv is not known to tf2onnx"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, upstream_demo: Path) -> Path:
    """The demo model with a detector of upstream's shape, one of whose nodes is not known."""
    from dctnet.preparing import networks
    from dctnet.preparing.prepare import prepare
    from dctnet.runtimes.tensorflow import tf

    source = tmp_path_factory.mktemp("unconverted") / "model"
    shutil.copytree(upstream_demo, source)
    detector = tf.GraphDef.FromString(write_faceboxes())
    (scores,) = (node for node in detector.node if node.name == "tower_0/scores")
    scores.op = "Erfinv"
    (source / "detector.pb").write_bytes(detector.SerializeToString())
    describe(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "DRAWN", 20)
        return prepare(open_folder(source), source.parent / "prepared").folder.path


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "log", DCTNET_MODEL=folder) as server:
        yield server


def test_it_keeps_the_detectors_frozen_graph_alone(folder: Path) -> None:
    graphs = {path.name for path in folder.iterdir() if path.suffix in {".pb", ".onnx", ".npz"}}
    assert graphs == {
        "cartoon_bg.npz",
        "cartoon_bg.onnx",
        "detector.pb",
        "keypoints.onnx",
    }


@pytest.fixture
def runtime(folder: Path) -> str:
    """What draws: native where it is built."""
    words = choice.summary(open_folder(folder))
    assert words.removeprefix("native+") == "onnxruntime+tensorflow"
    return words


def test_readyz_names_the_runtimes_and_the_part_with_its_reason(
    server: Server, runtime: str
) -> None:
    said = requests.get(f"{server.management}/readyz?verbose", timeout=BOUND_S).text
    assert f", runtime: {runtime}, detector needs TensorFlow: {NODE}, " in said


def test_the_metric_names_the_runtimes(server: Server, runtime: str) -> None:
    assert server.metric("dctnet_model_info", runtime=runtime) == 1


def test_doctor_names_the_runtimes_and_the_part_with_its_reason(
    folder: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCTNET_MODEL", str(folder))
    run = subprocess.run([DCTNET, "doctor", "--json"], capture_output=True, text=True, check=True)
    model = json.loads(run.stdout)["model"]
    assert model["runtime"] == runtime
    needing = {name: why for name, why in model.items() if name.endswith("_needs_tensorflow")}
    assert needing == {"detector_needs_tensorflow": NODE}


def test_without_tensorflow_it_ends_with_a_sentence_that_names_file_and_node(
    folder: Path, tmp_path: Path
) -> None:
    program = "import sys; from dctnet.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ("cartoonize", "x.png", "--out", str(tmp_path), "--model", str(folder))
    ended = run_without({"tensorflow"}, program, *arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"dctnet: The model example/tiny in {folder} needs TensorFlow, which is not installed, for"
        f" detector.pb ({NODE}): install dctnet with its `reference` extra, or take the"
        " `tensorflow` image.\n"
    )
