"""The first pictures: a slot is ready when it has drawn what it must be able to draw."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dctnet.engine import Cartoon
from dctnet.engine.geometry import MAX_SHORT_SIDE
from dctnet.models.errors import ModelError

Pixels = NDArray[np.uint8]

KNOWN_SIDE = 256
"""The side of the picture whose cartoon is known, in pixels."""

KNOWN_ANSWER = "known-answer.png"
"""The model folder's file with that cartoon; not every folder has one."""

MAX_MEAN_DIFFERENCE = 1.0
"""How far the answer may be from the known one on average, of 255: processors round differently."""


class Cartoonist(Protocol):
    """What draws: the engine."""

    def cartoonize(self, picture: Pixels, /) -> Cartoon:
        """Return the cartoon of an HxWx3 uint8 RGB picture."""
        ...


class WrongAnswer(ModelError):
    """The model draws a known picture as it should not."""


def picture(height: int, width: int) -> Pixels:
    """Return the known picture at any size: discs on a ramp, HxWx3 uint8 RGB."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y / max(height - 1, 1), x / max(width - 1, 1)
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
    """Draw the known picture, then one as large as any can be; return what was compared.

    The second one takes as much memory as the slot will ever need, and ``observe`` is told its
    working pixels and its seconds. Raises WrongAnswer.
    """
    compared = check_answer(engine.cartoonize(picture(KNOWN_SIDE, KNOWN_SIDE)).picture, folder)
    largest = picture(min(MAX_SHORT_SIDE, max_working_side), max_working_side)
    started = monotonic()
    engine.cartoonize(largest)
    observe(largest.shape[0] * largest.shape[1], monotonic() - started)
    return compared


def check_answer(drawn: Pixels, folder: Path) -> str:
    """Compare a cartoon of the known picture with the folder's; raise WrongAnswer.

    Where the folder has none, the cartoon must at least be a picture of something.
    """
    file = folder / KNOWN_ANSWER
    if not file.is_file():
        if np.ptp(drawn) == 0:
            raise WrongAnswer(f"The model in {folder} draws nothing but one colour.")
        return "no known answer"
    with Image.open(file) as image:
        known = np.asarray(image.convert("RGB"), np.int16)
    if known.shape != drawn.shape or np.abs(known - drawn).mean() > MAX_MEAN_DIFFERENCE:
        raise WrongAnswer(f"The model in {folder} does not draw its known answer, {KNOWN_ANSWER}.")
    return "known answer"
