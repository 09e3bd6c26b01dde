"""ONNX Runtime, on graphs small enough to compute by hand."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dctnet.models.errors import ModelError
from dctnet.runtimes import onnxruntime as runtime

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT32


def write(
    path: Path, nodes: list[onnx.NodeProto], shape: list[int], outputs: dict[str, tuple[int, list]]
) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("tower_0/images:0", FLOAT, shape)],
        [helper.make_tensor_value_info(name, *kind) for name, kind in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def constant(name: str, values: np.ndarray) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(values))


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """Three boxes, of which two count; their scores are the brightest value over 255."""
    boxes = np.array([[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0, 0, 0, 0]]], np.float32)
    nodes = [
        constant("tower_0/boxes:0", boxes),
        constant("factors", np.array([[1, 0.5, 0]], np.float32) / 255),
        constant("tower_0/num_detections:0", np.array([2], np.int32)),
        helper.make_node("ReduceMax", ["tower_0/images:0"], ["max"], keepdims=0),
        helper.make_node("Mul", ["factors", "max"], ["tower_0/scores:0"]),
    ]
    outputs = {
        "tower_0/boxes:0": (FLOAT, [1, 3, 4]),
        "tower_0/scores:0": (FLOAT, [1, 3]),
        "tower_0/num_detections:0": (INT, [1]),
    }
    return write(tmp_path / "detector.onnx", nodes, [1, 512, 512, 3], outputs)


@pytest.fixture
def landmarks(tmp_path: Path) -> Path:
    nodes = [
        constant("numbers", np.arange(143, dtype=np.float32)[np.newaxis]),
        helper.make_node("ReduceMax", ["tower_0/images:0"], ["max"], keepdims=0),
        helper.make_node("Mul", ["numbers", "max"], ["tower_0/prediction:0"]),
    ]
    outputs = {"tower_0/prediction:0": (FLOAT, [1, 143])}
    return write(tmp_path / "keypoints.onnx", nodes, [1, 160, 160, 3], outputs)


def test_only_counted_boxes_are_returned(detector):
    boxes, scores = runtime.detector(detector, 1)(np.full((512, 512, 3), 255, np.uint8))
    assert boxes == pytest.approx(np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]))
    assert scores == pytest.approx([1.0, 0.5])


def test_landmarks_are_the_first_136_values(landmarks):
    found = runtime.landmarker(landmarks, 1)(np.full((160, 160, 3), 2, np.float32))
    assert np.array_equal(found, 2 * np.arange(136, dtype=np.float32).reshape(68, 2))


def test_threads_may_share_a_network(landmarks):
    locate = runtime.landmarker(landmarks, 2)

    def second(level: int) -> float:
        return float(locate(np.full((160, 160, 3), level, np.float32))[0, 1])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(second, range(200))) == list(range(200))


LOAD = [runtime.detector, runtime.landmarker]


@pytest.mark.parametrize("load", LOAD)
def test_missing_graph_file_is_named(tmp_path, load):
    with pytest.raises(ModelError, match=r"x\.onnx cannot be read: No such file"):
        load(tmp_path / "x.onnx", 1)


@pytest.mark.parametrize("load", LOAD)
def test_invalid_graph_file_is_named(tmp_path, load):
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"^ONNX Runtime cannot load .*x\.onnx: "):
        load(tmp_path / "x.onnx", 1)


def test_graph_of_another_network_is_rejected_with_missing_tensor(landmarks):
    with pytest.raises(ModelError, match=r"it has no tensor tower_0/boxes:0\.$"):
        runtime.detector(landmarks, 1)


def test_generator_needs_weights_beside_its_graph(tmp_path):
    (tmp_path / "cartoon_h.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match=r"The weights .*cartoon_h\.npz cannot be read"):
        runtime.generator(tmp_path / "cartoon_h.onnx", 1)


def test_import_is_silent_without_home_folder_and_tensorflow(detector, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    program = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from dctnet.runtimes import onnxruntime\n"
        "detect = onnxruntime.detector(Path(sys.argv[1]), 2)\n"
        "detect(np.zeros((512, 512, 3), np.uint8))\n"
        "assert not {'tensorflow', 'onnx', 'tf2onnx'} & set(sys.modules)\n"
    )
    unset = {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    environ = {name: text for name, text in os.environ.items() if name not in unset}
    run = subprocess.run(
        [sys.executable, "-c", program, str(detector)],
        env=environ | {"HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("", "")
    assert list(home.rglob("*")) == []
