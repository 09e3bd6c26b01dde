"""Warm-up and self-test: each slot's first inference against a golden pair."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from dctnet.arrays import Pixels
from dctnet.engine import Cartoon
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.models.self_test import GoldenPair

MAX_MEAN_DIFFERENCE = 0.5
"""Most mean difference from the golden output, of 255: CPUs round differently."""

SAMPLE_SIDE = 256
"""Side of the sample image for models without a golden pair, in pixels."""


class SelfTestFailed(ModelError):
    """The model's output differs from its golden output."""


class CartoonEngine(Protocol):
    """Interface of the engine that cartoonizes images."""

    def reserve(self, calls: int, /) -> None:
        """Reserve the memory of ``calls`` concurrent calls with the largest images."""
        ...

    def cartoonize(
        self, sample_image: Pixels, /, strength: float = 1.0, max_side: int | None = None
    ) -> Cartoon:
        """Return the cartoon of an HxWx3 uint8 RGB image, with strength and longest side."""
        ...


def sample_image(height: int, width: int) -> Pixels:
    """Return a sample image of discs on a ramp, HxWx3 uint8 RGB."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y / height, x / width
    image = np.stack([60 + 120 * x, 90 + 80 * y, 170 - 90 * x * y], axis=-1)
    for middle_x, middle_y, radius, colour in (
        (0.3, 0.35, 0.2, (224, 172, 140)),
        (0.7, 0.6, 0.25, (40, 60, 52)),
        (0.55, 0.25, 0.1, (250, 240, 230)),
    ):
        inside = np.hypot(x - middle_x, y - middle_y) < radius
        image[inside] = colour
    return image.astype(np.uint8)


def warm_up(
    engine: CartoonEngine, model: ModelFolder, calibrate: Callable[[float, float], None]
) -> str:
    """Cartoonize the golden input or a sample image; return what was compared.

    ``calibrate`` gets the image's working pixels and the seconds of the background stage, the
    faster of two runs: a runtime's first run is slow, and the process may be paused in one.
    Raises SelfTestFailed, and ModelError if the golden pair cannot be read.
    """
    golden = GoldenPair.read(model.files)
    image = golden.image if golden else sample_image(SAMPLE_SIDE, SAMPLE_SIDE)
    cartoon = engine.cartoonize(image)
    if golden:
        _require_match(golden, cartoon, model)
    elif np.ptp(cartoon.image) == 0:
        raise SelfTestFailed(f"The model in {model.path} makes cartoons of one colour only.")
    height, width, _ = image.shape
    second = engine.cartoonize(image)
    calibrate(height * width, min(run.stages["background"] for run in (cartoon, second)))
    return "the golden pair" if golden else "no golden pair"


def check_golden_pair(engine: CartoonEngine, model: ModelFolder) -> None:
    """Cartoonize the model's golden input, if it has one, and compare the cartoon.

    Raises SelfTestFailed, and ModelError if the golden pair cannot be read.
    """
    if golden := GoldenPair.read(model.files):
        _require_match(golden, engine.cartoonize(golden.image), model)


def _require_match(golden: GoldenPair, cartoon: Cartoon, model: ModelFolder) -> None:
    difference = golden.difference(cartoon.image)
    if difference > MAX_MEAN_DIFFERENCE:
        raise SelfTestFailed(
            f"The model in {model.path} fails its golden pair: the cartoon is {difference:.3g} of"
            f" 255 off on average, and at most {MAX_MEAN_DIFFERENCE:g} is right."
        )
