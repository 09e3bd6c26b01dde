"""The demo model's generators: training target, graphs and quality."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from demo_model.filter import INK_DARKEST, cartoon, soft_steps
from demo_model.training_images import HELD_OUT, TRAINING, resize
from tests.support.lazy_import import LazyModule

tf = LazyModule("tensorflow.compat.v1")
network = LazyModule("demo_model.network")
evaluate = LazyModule("demo_model.evaluate")

GRAPHS = ("cartoon_bg.pb", "cartoon_h.pb")


def test_filter_keeps_a_flat_image_flat():
    generated = cartoon(np.full((64, 64, 3), (40, 120, 200), np.uint8))
    assert np.ptp(generated, axis=(0, 1)).tolist() == [0, 0, 0]


def test_filter_adds_a_dark_line_along_an_edge():
    photo = np.full((64, 64, 3), 230, np.uint8)
    photo[:, 32:] = 60
    generated = cartoon(photo)[32, :, 1].astype(int)
    away = generated[48]
    assert generated[32:36].min() < 0.5 * away
    assert generated[:20].min() > 200


def test_lightness_steps_are_continuous_and_monotone():
    stepped = soft_steps(np.linspace(0, 100, 100_001, dtype=np.float32))
    rises = np.diff(stepped)
    assert rises.min() >= -1e-4
    assert rises.max() < 0.01
    assert 0 < INK_DARKEST < 1


def test_held_out_images_are_not_used_for_training():
    trained = {(image.package, image.path) for image in TRAINING.values()}
    held_out = {(image.package, image.path) for image in HELD_OUT.values()}
    assert len(held_out) >= 3
    assert "astronaut" in HELD_OUT
    assert not trained & held_out


def structure(graph: Any) -> list[Any]:
    """Return a graph without the values of its weights."""
    nodes = []
    for node in graph.node:
        weight = node.name in network.WEIGHT_SHAPES
        tensor = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
        value = None if tensor is None else (tensor.shape, weight or tensor.tobytes())
        others = {k: v.SerializeToString() for k, v in node.attr.items() if k != "value"}
        nodes.append((node.name, node.op, list(node.input), others, value))
    return nodes


@pytest.mark.parametrize("name", GRAPHS)
def test_frozen_graph_is_reproducible(upstream_demo, name):
    committed = tf.GraphDef.FromString((upstream_demo / name).read_bytes())
    written = network.frozen_graph(network.initial_weights(0))
    assert structure(committed) == structure(written)


@pytest.fixture(scope="module")
def generate(upstream_demo: Path) -> Any:
    return evaluate.generator(upstream_demo / "cartoon_bg.pb")


@pytest.mark.parametrize("name", HELD_OUT)
def test_generator_approximates_the_filter(generate, name):
    photo = resize(HELD_OUT[name].read(), 512)
    generated, expected = generate(photo), cartoon(photo)
    assert evaluate.psnr(generated, expected) >= 26
    assert evaluate.colour_shift(generated, expected) <= 3
    assert evaluate.nyquist_energy(generated) <= evaluate.nyquist_energy(photo)


def test_metrics_rank_better_cartoons_higher():
    photo = resize(HELD_OUT["astronaut"].read(), min(evaluate.SIDES))
    assert evaluate.psnr(photo, photo) > 60
    assert evaluate.colour_shift(cv2.add(photo // 2, (8.0, 0, 0, 0)), photo // 2) == pytest.approx(
        8, abs=0.1
    )
    checkered = photo // 2
    checkered[::2, ::2] += 4
    checkered[1::2, 1::2] += 4
    assert evaluate.nyquist_energy(checkered) > evaluate.nyquist_energy(photo // 2) + 1
