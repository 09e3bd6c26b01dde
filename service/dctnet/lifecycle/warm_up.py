"""The first pictures: a slot is ready when it has drawn what it must be able to draw."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Protocol

import numpy as np

from dctnet.engine import Cartoon
from dctnet.engine.geometry import MAX_SHORT_SIDE
from dctnet.models.errors import ModelError
from dctnet.models.known_answer import KnownAnswer
from dctnet.runtimes import Pixels

MAX_MEAN_DIFFERENCE = 0.5
"""How far an answer may be from the known one on average, of 255: processors round differently."""


class WrongAnswer(ModelError):
    """The model draws what it should not."""


class Cartoonist(Protocol):
    """What draws: the engine."""

    def cartoonize(self, picture: Pixels, /) -> Cartoon:
        """Return the cartoon of an HxWx3 uint8 RGB picture."""
        ...


def picture(height: int, width: int) -> Pixels:
    """Return a picture to draw, HxWx3 uint8 RGB: discs on a ramp."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y / height, x / width
    drawn = np.stack([60 + 120 * x, 90 + 80 * y, 170 - 90 * x * y], axis=-1)
    for middle_x, middle_y, radius, colour in (
        (0.3, 0.35, 0.2, (224, 172, 140)),
        (0.7, 0.6, 0.25, (40, 60, 52)),
        (0.55, 0.25, 0.1, (250, 240, 230)),
    ):
        inside = np.hypot(x - middle_x, y - middle_y) < radius
        drawn[inside] = colour
    return drawn.astype(np.uint8)


def warm_up(
    engine: Cartoonist, folder: Path, max_working_side: int, observe: Callable[[float, float], None]
) -> str:
    """Draw the folder's known picture, then one as large as any can be; return what was compared.

    The second one takes as much memory as the slot will ever need. Of another, with a quarter of
    its pixels, ``observe`` is told the pixels and the seconds. Raises WrongAnswer, and ModelError
    where the known answer cannot be read.
    """
    known = KnownAnswer.read(folder)
    if known is not None:
        difference = known.difference(engine.cartoonize(known.picture).picture)
        if difference > MAX_MEAN_DIFFERENCE:
            raise WrongAnswer(
                f"The model in {folder} does not draw its known answer: it is {difference:.3g} of"
                f" 255 off on average, and at most {MAX_MEAN_DIFFERENCE:g} is right."
            )
    height, width = min(MAX_SHORT_SIDE, max_working_side), max_working_side
    if np.ptp(engine.cartoonize(picture(height, width)).picture) == 0:
        raise WrongAnswer(f"The model in {folder} draws nothing but one colour.")
    # The first picture of a size takes up to twice as long as those after it: TensorFlow prepares.
    usual = picture(height // 2, width // 2)
    engine.cartoonize(usual)
    started = monotonic()
    engine.cartoonize(usual)
    observe(usual.shape[0] * usual.shape[1], monotonic() - started)
    return "the known answer" if known else "no known answer"
