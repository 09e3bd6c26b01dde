"""The shipped styles' generators: graphs, sizes, and likeness to their filters."""

from typing import Any

import cv2
import pytest

from dctnet.models.folder import SHIPPED
from dctnet.models.styles import SHIPPED_STYLES
from shipped_styles import evaluate
from shipped_styles.filters import FILTERS
from shipped_styles.initial_weights import WEIGHT_SHAPES, random_weights
from shipped_styles.training_images import HELD_OUT, resize
from tests.support.lazy_import import LazyModule

tf = LazyModule("tensorflow.compat.v1")
network = LazyModule("shipped_styles.network")

GRAPHS = ("cartoon_bg.pb", "cartoon_h.pb")
MB = 1_000_000


def test_shipped_files_are_small():
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 16 * MB
    for style in SHIPPED_STYLES:
        assert (SHIPPED / style / "cartoon_bg.npz").stat().st_size <= 3 * MB


def structure(graph: Any) -> list[Any]:
    """Return a graph without the values of its weights."""
    nodes = []
    for node in graph.node:
        weight = node.name in WEIGHT_SHAPES
        tensor = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
        value = None if tensor is None else (tensor.shape, weight or tensor.tobytes())
        others = {k: v.SerializeToString() for k, v in node.attr.items() if k != "value"}
        nodes.append((node.name, node.op, list(node.input), others, value))
    return nodes


@pytest.mark.parametrize("name", GRAPHS)
def test_frozen_graph_is_reproducible(upstream_comic, name):
    committed = tf.GraphDef.FromString((upstream_comic / name).read_bytes())
    written = network.frozen_graph(random_weights(0))
    assert structure(committed) == structure(written)


@pytest.mark.parametrize("name", HELD_OUT)
@pytest.mark.parametrize("style", SHIPPED_STYLES)
def test_generator_draws_as_its_filter(style, name):
    photo = resize(HELD_OUT[name].read(), 512)
    generated, target = evaluate.generator_of(style)(photo), FILTERS[style](photo)
    results = evaluate.evaluate(photo, generated, target)
    assert results.psnr >= LEAST_PSNR[style]
    assert results.flat_share >= 0.8
    assert round(results.line_contrast, 2) >= 0.8
    assert results.colour_shift <= 4
    if style == "comic":
        assert results.psnr_to_photo <= 21
    # A checkerboard would raise it above that of the filter's sharp lines.
    assert evaluate.nyquist_energy(generated) <= evaluate.nyquist_energy(target)


LEAST_PSNR = {"comic": 26, "sketch": 27, "poster": 25}


def test_photo_is_not_taken_for_a_cartoon():
    photo = resize(HELD_OUT["astronaut"].read(), 512)
    results = evaluate.evaluate(photo, photo, FILTERS["comic"](photo))
    assert results.psnr_to_photo > 60
    assert results.flat_share < 0.8
    assert results.line_contrast < 0.8


def test_target_is_its_own_measure():
    photo = resize(HELD_OUT["astronaut"].read(), 256)
    target = FILTERS["comic"](photo)
    results = evaluate.evaluate(photo, target, target)
    assert results.psnr > 60
    assert results[1:5] == pytest.approx((1, 1, 1, 0))


def test_metrics_find_a_colour_cast_and_a_checkerboard():
    photo = resize(HELD_OUT["astronaut"].read(), min(evaluate.SIDES))
    dark = photo // 2
    shifted = cv2.add(dark, (8.0, 0, 0, 0))
    assert evaluate.evaluate(photo, shifted, dark).colour_shift == pytest.approx(8, abs=0.1)
    checkered = dark.copy()
    checkered[::2, ::2] += 4
    checkered[1::2, 1::2] += 4
    assert evaluate.nyquist_energy(checkered) > evaluate.nyquist_energy(dark) + 1
