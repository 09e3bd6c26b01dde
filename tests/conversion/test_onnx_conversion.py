"""Conversion of frozen graphs to ONNX, or rejection that names the unsupported node."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dctnet.conversion.onnx_conversion import (
    NotConvertible,
    convert_generator_to_onnx,
    convert_to_onnx,
    with_external_weights,
)
from dctnet.models import generator_weights as format
from dctnet.models.errors import ModelError
from dctnet.runtimes import onnxruntime, signatures
from shipped_styles.initial_weights import random_weights
from tests.support.lazy_import import LazyModule

tf = LazyModule("tensorflow.compat.v1")
tensorflow = LazyModule("dctnet.runtimes.tensorflow")
network = LazyModule("shipped_styles.network")


def write(path: Path, build: Callable[[], Any]) -> Path:
    with tf.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def landmarks_by(calculate: Callable[[Any], Any]) -> Callable[[], None]:
    """A landmark network whose 143 values depend on the image's mean."""

    def build() -> None:
        images = tf.placeholder(tf.float32, [None, 160, 160, 3], "tower_0/images")
        training = tf.placeholder(tf.bool, [], "training_flag")
        mean = tf.reduce_mean(images)
        mean = tf.cond(training, lambda: mean * np.nan, lambda: mean)
        tf.identity(calculate(mean), name="tower_0/prediction")

    return build


def converted(path: Path, signature: signatures.Signature) -> Path:
    target = path.with_suffix(".onnx")
    target.write_bytes(convert_to_onnx(path, signature).SerializeToString())
    return target


@pytest.mark.parametrize(
    "calculate",
    [
        lambda mean: tf.reshape(tf.range(143.0) * mean, [1, 143]),
        lambda mean: tf.fill([1, 143], tf.atan2(mean, 1.5)),
        lambda mean: tf.fill([1, 143], tf.atan2([mean, mean], [-1.0, 2.0])[0]),
    ],
)
def test_converted_graph_computes_the_same(tmp_path, calculate):
    path = write(tmp_path / "keypoints.pb", landmarks_by(calculate))
    ours = onnxruntime.landmarker(converted(path, signatures.LANDMARKS), 1)
    reference = tensorflow.landmarker(path, 1)
    for level in (-3, 0, 1, 200):
        face = np.full((160, 160, 3), level, np.float32)
        assert ours(face) == pytest.approx(reference(face), rel=1e-6)


def test_unsupported_operation_is_named_with_its_node(tmp_path, capfd):
    def unknown(mean: Any) -> Any:
        return tf.fill([1, 143], tf.math.betainc(mean, 2.0, 0.5, name="tower_0/beta"))

    path = write(tmp_path / "keypoints.pb", landmarks_by(unknown))
    handlers = logging.getLogger("tf2onnx").handlers
    with pytest.raises(NotConvertible) as caught:
        convert_to_onnx(path, signatures.LANDMARKS)
    assert str(caught.value) == (
        "the node 'tower_0/beta': tf2onnx does not support the operation Betainc"
    )
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("tf2onnx").handlers == handlers


def test_graph_without_required_tensors_is_rejected(tmp_path):
    path = write(tmp_path / "keypoints.pb", lambda: tf.constant(1.0))
    with pytest.raises(NotConvertible, match=r"^tf2onnx: .*tower_0"):
        convert_to_onnx(path, signatures.LANDMARKS)


def test_invalid_graph_file_is_named(tmp_path):
    (tmp_path / "detector.pb").write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"detector\.pb is not a frozen TensorFlow graph"):
        convert_to_onnx(tmp_path / "detector.pb", signatures.DETECTOR)


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    """Random weights and biases by array name."""
    random = np.random.default_rng(0)
    generated = {
        name.removeprefix("generator/"): value + random.normal(0, 0.01, value.shape)
        for name, value in random_weights(0).items()
    }
    ordered = {name: generated.get(name, np.array(5e-3)) for name, _ in format.shapes()}
    return {name: np.asarray(value, np.float32) for name, value in ordered.items()}


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, np.ndarray]) -> Path:
    path = tmp_path_factory.mktemp("generator") / "cartoon_bg.pb"
    named = {f"generator/{name}": value for name, value in weights.items()}
    path.write_bytes(network.frozen_graph(named).SerializeToString())
    return path


@pytest.fixture(scope="module")
def model(frozen: Path) -> onnx.ModelProto:
    return convert_generator_to_onnx(frozen)


def write_model(model: onnx.ModelProto, weights: dict[str, np.ndarray], folder: Path) -> Path:
    path = folder / "cartoon_bg.onnx"
    path.write_bytes(model.SerializeToString())
    format.write(path.with_suffix(".npz"), weights)
    return path


def test_converted_generator_uses_the_weights_file(tmp_path, frozen, model, weights):
    path = write_model(model, weights, tmp_path)
    assert path.stat().st_size < 50_000
    generate = onnxruntime.generator(path, 1)
    reference = tensorflow.generator(frozen, 1)
    random = np.random.default_rng(0)
    for size in ((16, 16), (48, 80)):
        image = random.integers(0, 256, (*size, 3), np.uint8)
        generated, expected = generate(image), reference(image)
        assert generated.dtype == np.uint8
        assert np.abs(generated.astype(int) - expected).max() <= 1
        assert np.ptp(expected) > 50
    other = {name: value * np.float32(0.9) for name, value in weights.items()}
    format.write(path.with_suffix(".npz"), other)
    assert np.abs(onnxruntime.generator(path, 1)(image).astype(int) - expected).max() > 1


@pytest.mark.parametrize("content", ["zero biases", "equal layers", "all zero"])
def test_weights_are_matched_by_position(tmp_path, weights, model, content):
    """Neither equal nor zero arrays are merged, folded or mixed up."""
    changed = dict(weights)
    for layer in format.LAYERS:
        if content != "equal layers":
            changed[layer.biases] = np.zeros_like(weights[layer.biases])
        if content == "equal layers" and layer.name.startswith("block_"):
            changed[layer.weights] = weights["block_0/conv1/weights"]
        if content == "all zero":
            changed[layer.weights] = np.zeros_like(weights[layer.weights])
    frozen = tmp_path / "cartoon_bg.pb"
    named = {f"generator/{name}": value for name, value in changed.items()}
    frozen.write_bytes(network.frozen_graph(named).SerializeToString())
    again = convert_generator_to_onnx(frozen)
    assert again.SerializeToString() == model.SerializeToString()
    generate = onnxruntime.generator(write_model(again, changed, tmp_path), 1)
    image = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
    expected = tensorflow.generator(frozen, 1)(image)
    assert np.abs(generate(image).astype(int) - expected).max() <= 1


def test_weight_missing_in_the_graph_is_named(frozen, weights):
    model = convert_to_onnx(frozen, signatures.GENERATOR)
    other = weights | {"Conv_3/weights": weights["Conv_3/weights"] * 2}
    with pytest.raises(NotConvertible, match=r"^the converted graph lacks Conv_3/weights$"):
        with_external_weights(model, other)
