"""The first images: a slot is ready when it has drawn what it must be able to draw."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from dctnet.arrays import Pixels
from dctnet.engine import Cartoon
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.models.self_test import GoldenPair

MAX_MEAN_DIFFERENCE = 0.5
"""How far an answer may be from the known one on average, of 255: CPUs round differently."""

SAMPLE_SIDE = 256
"""Of the image that is drawn where a folder has no known one, in pixels."""


class SelfTestFailed(ModelError):
    """The model draws what it should not."""


class CartoonEngine(Protocol):
    """What draws: the engine."""

    def reserve(self, calls: int, /) -> None:
        """Take the memory of so many calls at once with the largest images."""
        ...

    def cartoonize(self, sample_image: Pixels, /) -> Cartoon:
        """Return the cartoon of an HxWx3 uint8 RGB image."""
        ...


def sample_image(height: int, width: int) -> Pixels:
    """Return an image to draw, HxWx3 uint8 RGB: discs on a ramp."""
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
    """Draw the model's golden input, or one of ours if it has none; return what was compared.

    ``calibrate`` gets the image's working pixels and the seconds of the background, the better of
    two runs: the first run of a runtime is slow, and the process may be paused in one of them.
    Raises SelfTestFailed, and ModelError where the golden pair cannot be read.
    """
    golden = GoldenPair.read(model.files)
    image = golden.image if golden else sample_image(SAMPLE_SIDE, SAMPLE_SIDE)
    cartoon = engine.cartoonize(image)
    if golden:
        _require_match(golden, cartoon, model)
    elif np.ptp(cartoon.image) == 0:
        raise SelfTestFailed(f"The model in {model.path} draws nothing but one colour.")
    height, width, _ = image.shape
    second = engine.cartoonize(image)
    calibrate(height * width, min(run.stages["background"] for run in (cartoon, second)))
    return "the golden pair" if golden else "no golden pair"


def check_golden_pair(engine: CartoonEngine, model: ModelFolder) -> None:
    """Draw the model's golden input, if it has one.

    Raises SelfTestFailed, and ModelError where the golden pair cannot be read.
    """
    if golden := GoldenPair.read(model.files):
        _require_match(golden, engine.cartoonize(golden.image), model)


def _require_match(golden: GoldenPair, cartoon: Cartoon, model: ModelFolder) -> None:
    difference = golden.difference(cartoon.image)
    if difference > MAX_MEAN_DIFFERENCE:
        raise SelfTestFailed(
            f"The model in {model.path} does not draw its golden pair: it is {difference:.3g} of"
            f" 255 off on average, and at most {MAX_MEAN_DIFFERENCE:g} is right."
        )
