"""Training of the shipped styles: deterministic, resumable, and started with built-in tones."""

import os
import subprocess
import sys

import numpy as np
import pytest

from dctnet.models import generator_weights
from dctnet.runtimes import native, native_library
from shipped_styles import pool, training_images
from shipped_styles.filters import FILTERS, comic, poster
from shipped_styles.filters.smoothing import to_lab
from shipped_styles.initial_weights import WEIGHT_SHAPES, initial_weights, learning_rates
from tests.support.lazy_import import LazyModule
from tests.support.repo import ROOT

network = LazyModule("shipped_styles.network")
train = LazyModule("shipped_styles.train")


def test_held_out_images_are_not_used_for_training():
    trained = {(image.package, image.path) for image in training_images.TRAINING.values()}
    held_out = {(image.package, image.path) for image in training_images.HELD_OUT.values()}
    assert len(held_out) >= 3
    assert "astronaut" in training_images.HELD_OUT
    assert not trained & held_out


@pytest.fixture
def crops(monkeypatch: pytest.MonkeyPatch) -> pool.Pool:
    """A pool of noise, drawn by the negative, since matplotlib is not installed here."""
    crops = np.random.default_rng(0).integers(0, 256, (3, pool.SIDE, pool.SIDE, 3), np.uint8)
    return pool.Pool(crops, 255 - crops)


def test_batch_depends_on_its_step_only(crops):
    photos, drawings = crops.batch(7, size=4, side=96)
    assert photos.shape == drawings.shape == (4, 96, 96, 3)
    assert np.array_equal(drawings, 255 - photos)
    again, other = crops.batch(7, size=4, side=96)[0], crops.batch(8, size=4, side=96)[0]
    assert np.array_equal(photos, again)
    assert not np.array_equal(photos, other)


def test_crop_depends_on_its_index_only(monkeypatch):
    def noise(random: np.random.Generator, side: int) -> np.ndarray:
        return random.integers(0, 200, (side, side, 3), np.uint8)

    monkeypatch.setattr(training_images, "patch", noise)
    monkeypatch.setattr(pool, "SIDE", 140)
    monkeypatch.setattr(pool, "WHITE_SHARE", 1)
    photo, drawing = pool.pair("sketch", 5)
    assert np.array_equal(photo, pool.pair("sketch", 5)[0])
    white = (photo == 255).all(axis=2)
    assert 0.05 < white.mean() < 0.95
    # Drawn without the edge of the white.
    assert np.ptp(drawing[white], axis=0).max() == 0


def test_pool_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "CROPS", 2)
    for name in ("crops-2", "comic-2"):
        np.save(tmp_path / f"{name}.npy", np.zeros((2, 4, 4, 3), np.uint8))
    assert pool.read("comic", tmp_path, processes=1).crops.shape == (2, 4, 4, 3)


@pytest.mark.parametrize("style", FILTERS)
def test_rates_are_low_where_tones_pass(style):
    rates = learning_rates(style)
    assert rates.keys() == WEIGHT_SHAPES.keys()
    assert rates["generator/Conv_5/weights"][..., :4].max() < 0.2
    assert rates["generator/Conv_5/weights"][..., 4:].min() == 1


def drawn_by_initial_weights(style: str, grey: int) -> np.ndarray:
    """The middle of a flat image, BGR of 255."""
    weights = initial_weights(style, seed=1)
    layers = {name.removeprefix("generator/"): value for name, value in weights.items()}
    epsilon = {generator_weights.EPSILON: np.float32(network.GUIDED_FILTER_EPSILON)}
    pool = native.ScratchPool(native_library.library(native_library.select_variant()))
    generator = native.NativeGenerator(layers | epsilon, pool)
    return generator(np.full((64, 64, 3), grey, np.uint8))[32, 32]


@pytest.mark.parametrize("index", range(4))
def test_initial_weights_of_comic_draw_its_tones(index):
    edges = (0, *comic.CUTS, 100)
    middle = (edges[index] + edges[index + 1]) / 2
    grey = round(float(np.interp(middle, to_lab(GREYS)[0, :, 0], np.arange(256))))
    drawing = drawn_by_initial_weights("comic", grey)
    light = to_lab(drawing[np.newaxis, np.newaxis])
    assert abs(light[0, 0, 0] - comic.TONES[index]) < 6


@pytest.mark.parametrize("index", range(5))
def test_initial_weights_of_poster_draw_its_inks(index):
    edges = (0, *poster.CUTS, 100)
    middle = (edges[index] + edges[index + 1]) / 2
    grey = round(float(np.interp(middle, to_lab(GREYS)[0, :, 0], np.arange(256))))
    ink = poster.bgr(poster.INKS[index])
    assert np.abs(drawn_by_initial_weights("poster", grey) - ink).max() < 20


GREYS = np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, axis=2)
"""Every grey level."""


RESUMED = """
import sys
from pathlib import Path
import numpy as np
from shipped_styles import pool, train

crops = np.random.default_rng(0).integers(0, 256, (3, pool.SIDE, pool.SIDE, 3), np.uint8)
pool.read = lambda *_: pool.Pool(crops, 255 - crops)
held_out = np.zeros((1, 16, 16, 3), np.float32)
train.validation_set = lambda _: [(held_out, held_out)]
train.SIDES, train.STEPS, train.LINE_STEPS, train.BATCH = ((2, 32), (1, 48)), 3, 1, 1
train.tf.config.run_functions_eagerly(True)  # Tracing takes far longer than three steps.

def weights(folder, *ends):
    for end in ends:
        train.train("comic", Path(sys.argv[1], folder), "float32", 1, end)
    return train.Trainer("comic", Path(sys.argv[1], folder), "float32").average()

whole, in_parts = weights("whole", 3), weights("parts", 1, 3)
assert all(np.array_equal(whole[name], in_parts[name]) for name in whole)
start = train.initial_weights("comic", pool.SEED)
assert not all(np.allclose(whole[name], start[name]) for name in whole)
"""


def test_training_resumes_where_it_was_interrupted(tmp_path):
    """In a process of its own: upstream's pipeline disables TensorFlow's eager execution."""
    path = {"PYTHONPATH": str(ROOT / "service")}
    subprocess.run([sys.executable, "-c", RESUMED, tmp_path], check=True, env=os.environ | path)


def test_learning_rate_rises_then_falls_twice():
    last = train.STEPS - train.LINE_STEPS
    rates = [train.learning_rate(step) for step in range(train.STEPS)]
    assert max(rates) == pytest.approx(train.PEAK_LEARNING_RATE, rel=0.01)
    assert rates[0] < max(rates) / 100
    assert rates[last - 1] < max(rates) / 40
    assert max(rates[last:]) == pytest.approx(train.PEAK_LEARNING_RATE * train.LINE_LEARNING_RATE)
    assert 0 < rates[-1] < max(rates) / 1000
    assert [train.side_of(step) for step in (0, train.STEPS - 1)] == [96, 160]


def test_line_loss_counts_lines_that_are_too_light():
    target = np.full((1, 32, 32, 3), 0.8, np.float32)
    target[:, :, 15:17] = -0.8
    lighter, darker = target.copy(), target.copy()
    lighter[:, :, 15:17] += 0.1
    darker[:, :, 15:17] -= 0.1
    v1 = train.tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        losses = session.run([train.line_loss(y, target) for y in (lighter, darker, target)])
    line_share = 2 / 32
    more = train.PALE_LINE_WEIGHT * 0.1 * line_share
    assert losses[0] - losses[1] == pytest.approx(more, rel=1e-3)
    assert losses[2] == 0
