"""Warm-up: golden pairs, samples, calibration, and the styles' share of the slots."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dctnet.arrays import Pixels
from dctnet.engine import Cartoon
from dctnet.lifecycle.warm_up import (
    MAX_MEAN_DIFFERENCE,
    SAMPLE_SIDE,
    SelfTestFailed,
    StyleUnderTest,
    WarmUp,
)
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.models.open_files import OpenFiles
from dctnet.models.self_test import GoldenPair

IMAGE = np.full((8, 9, 3), 100, np.uint8)
PORTRAIT_SIDE = 224
"""Side of the shipped styles' golden input."""


class Negative:
    is_hot = True

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []
        self.timed: list[tuple[int, ...]] = []

    def require_memory(self, calls: int, /) -> None:
        pass

    def time_background(self, image: Pixels, /) -> float:
        self.timed.append(image.shape)
        return 0.25

    def cartoonize(self, image: Pixels, /, *_: object) -> Cartoon:
        self.sizes.append(image.shape)
        return Cartoon(255 - image, 1, {"background": 0.25, "head": 1.0})


class Black(Negative):
    def cartoonize(self, image: Pixels, /, *_: object) -> Cartoon:
        return Cartoon(np.zeros_like(image), 0, {"background": 0.25})


def model_in(folder: Path) -> ModelFolder:
    """A model folder with only these files."""
    files = OpenFiles(folder, (path.name for path in folder.iterdir()))
    return ModelFolder(folder, "test", "test", "", None, "no manifest", files=files)


def ignored(*_: float) -> None:
    """Ignore the calibration."""


def warm_up_of(
    folder: Path,
    *engines: Negative,
    calibrate: Callable[[float, float], None] = ignored,
    optional: bool = False,
) -> WarmUp:
    """A warm-up of one style per engine: `a`, `b` and so on."""
    styles = {
        chr(ord("a") + index): StyleUnderTest(engine, model_in(folder))
        for index, engine in enumerate(engines)
    }
    return WarmUp(styles, calibrate, optional=optional)


@pytest.mark.promise("Lifecycle: a replica is ready after a golden pair, and not with a bad model")
def test_slot_cartoonizes_the_golden_input_and_times_the_background(tmp_path):
    """A runtime's first run has extra work, so a second is timed."""
    engine = Negative()
    GoldenPair(IMAGE, 255 - IMAGE).write(tmp_path)
    warm_up = warm_up_of(tmp_path, engine)
    warm_up()
    assert warm_up.results == {"a": "the golden pair"}
    assert engine.sizes == engine.timed == [IMAGE.shape]


def test_styles_are_shared_out_among_the_slots(tmp_path):
    engines = [Negative() for _ in range(5)]
    measured: list[float] = []
    warm_up = warm_up_of(tmp_path, *engines, calibrate=lambda *pair: measured.append(pair[1]))
    with ThreadPoolExecutor(2) as slots:
        for slot in [slots.submit(warm_up) for _ in range(2)]:
            slot.result()
    assert warm_up.results.keys() == warm_up.samples.keys() == set("abcde")
    assert all(engine.sizes for engine in engines)
    assert len(measured) == 2
    assert sum(len(engine.timed) for engine in engines) == 2
    # Once each, unless one slot has tested all styles before the other starts.
    assert sum(len(engine.sizes) for engine in engines) in {5, 6}


def test_slot_without_a_style_to_test_runs_the_default(tmp_path):
    first, second = Negative(), Negative()
    measured: list[float] = []
    warm_up = warm_up_of(tmp_path, first, second, calibrate=lambda *pair: measured.append(pair[1]))
    warm_up()
    warm_up()
    assert (len(first.sizes), len(second.sizes), len(measured)) == (2, 1, 2)


def test_calibration_uses_the_background_stage(tmp_path):
    measured: list[tuple[float, ...]] = []
    warm_up_of(tmp_path, Negative(), calibrate=lambda *pair: measured.append(pair))()
    assert measured == [(PORTRAIT_SIDE**2, 0.25)]


def test_calibration_uses_the_faster_run(tmp_path):
    class Paused(Negative):
        def __init__(self, first: float, second: float) -> None:
            super().__init__()
            self._first, self._second = first, second

        def cartoonize(self, image: Pixels, /, *_: object) -> Cartoon:
            cartoon = super().cartoonize(image)
            cartoon.stages["background"] = self._first
            return cartoon

        def time_background(self, image: Pixels, /) -> float:
            return self._second

    measured: list[float] = []
    for engine in (Paused(40, 20), Paused(30, 50)):
        warm_up_of(tmp_path, engine, calibrate=lambda _, seconds: measured.append(seconds))()
    assert measured == [20, 30]


@pytest.mark.promise("Lifecycle: a replica is ready after a golden pair, and not with a bad model")
def test_golden_output_tolerance(tmp_path):
    almost = 255 - IMAGE
    almost[: len(almost) // 2] += 1
    GoldenPair(IMAGE, almost).write(tmp_path)
    assert MAX_MEAN_DIFFERENCE == 0.5
    warm_up_of(tmp_path, Negative())()
    almost[-1, -1, -1] += 1
    GoldenPair(IMAGE, almost).write(tmp_path)
    with pytest.raises(SelfTestFailed, match=r"is 0\.505 of 255 off on average") as caught:
        warm_up_of(tmp_path, Negative())()
    assert str(tmp_path) in str(caught.value)


def test_without_golden_pair_a_flat_cartoon_fails(tmp_path):
    with pytest.raises(SelfTestFailed, match="cartoons of one colour only"):
        warm_up_of(tmp_path, Black())()


def test_broken_style_fails_the_slot_unless_styles_are_optional(tmp_path):
    with pytest.raises(ModelError, match="one colour only"):
        warm_up_of(tmp_path, Negative(), Black())()
    warm_up = warm_up_of(tmp_path, Black(), Negative(), optional=True)
    warm_up()
    assert warm_up.results == {"b": "no golden pair"}
    assert "one colour only" in warm_up.broken["a"]


def test_slot_starts_if_every_style_is_broken(tmp_path):
    """The replica then says so."""
    warm_up = warm_up_of(tmp_path, Black(), optional=True)
    warm_up()
    warm_up()
    assert not warm_up.results
    assert list(warm_up.broken) == ["a"]


def test_sample_is_the_cartoon_of_a_portrait(tmp_path):
    warm_up = warm_up_of(tmp_path, Negative())
    warm_up()
    with Image.open(BytesIO(warm_up.samples["a"])) as sample:
        assert (sample.format, max(sample.size)) == ("WEBP", SAMPLE_SIDE)
        assert len(np.unique(np.asarray(sample).reshape(-1, 3), axis=0)) > 1000
