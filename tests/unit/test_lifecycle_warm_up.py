"""Warm-up: golden pairs, sample images, and calibration."""

from pathlib import Path

import numpy as np
import pytest

from dctnet.arrays import Pixels
from dctnet.engine import Cartoon
from dctnet.lifecycle.warm_up import MAX_MEAN_DIFFERENCE, SelfTestFailed, sample_image, warm_up
from dctnet.models.folder import ModelFolder
from dctnet.models.open_files import OpenFiles
from dctnet.models.self_test import GoldenPair

IMAGE = np.full((8, 9, 3), 100, np.uint8)


class Negative:
    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def reserve(self, calls: int, /) -> None:
        pass

    def cartoonize(self, sample_image: Pixels, /) -> Cartoon:
        self.sizes.append(sample_image.shape)
        return Cartoon(255 - sample_image, 1, {"background": 0.25, "head": 1.0})


class Black(Negative):
    def cartoonize(self, sample_image: Pixels, /) -> Cartoon:
        return Cartoon(np.zeros_like(sample_image), 0, {"background": 0.25})


def model_in(folder: Path) -> ModelFolder:
    """A model folder with only these files."""
    files = OpenFiles(folder, (path.name for path in folder.iterdir()))
    return ModelFolder(folder, "test", "test", "", None, "no manifest", files=files)


def ignored(*_: float) -> None:
    """Ignore the calibration."""


@pytest.mark.promise("Lifecycle: a replica is ready after a golden pair, and not with a bad model")
def test_slot_cartoonizes_the_golden_input_twice(tmp_path):
    """A runtime's first run has extra work, so the second counts."""
    engine = Negative()
    GoldenPair(IMAGE, 255 - IMAGE).write(tmp_path)
    assert warm_up(engine, model_in(tmp_path), ignored) == "the golden pair"
    assert engine.sizes == [IMAGE.shape] * 2


def test_calibration_uses_the_background_stage(tmp_path):
    measured: list[tuple[float, ...]] = []
    warm_up(Negative(), model_in(tmp_path), lambda *pair: measured.append(pair))
    assert measured == [(256 * 256, 0.25)]


def test_calibration_uses_the_faster_run(tmp_path):
    class Paused(Negative):
        def cartoonize(self, sample_image: Pixels, /) -> Cartoon:
            cartoon = super().cartoonize(sample_image)
            cartoon.stages["background"] = 40 / len(self.sizes)
            return cartoon

    measured: list[float] = []
    warm_up(Paused(), model_in(tmp_path), lambda _, seconds: measured.append(seconds))
    assert measured == [20]


@pytest.mark.promise("Lifecycle: a replica is ready after a golden pair, and not with a bad model")
def test_golden_output_tolerance(tmp_path):
    almost = 255 - IMAGE
    almost[: len(almost) // 2] += 1
    GoldenPair(IMAGE, almost).write(tmp_path)
    assert MAX_MEAN_DIFFERENCE == 0.5
    assert warm_up(Negative(), model_in(tmp_path), ignored) == "the golden pair"
    almost[-1, -1, -1] += 1
    GoldenPair(IMAGE, almost).write(tmp_path)
    with pytest.raises(SelfTestFailed, match=r"is 0\.505 of 255 off on average") as caught:
        warm_up(Negative(), model_in(tmp_path), ignored)
    assert str(tmp_path) in str(caught.value)


def test_without_golden_pair_a_flat_cartoon_fails(tmp_path):
    with pytest.raises(SelfTestFailed, match="cartoons of one colour only"):
        warm_up(Black(), model_in(tmp_path), ignored)


def test_sample_image_has_many_colours():
    image = sample_image(256, 256)
    assert image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 1000
