"""Warm-up and self-test: the first inference of each style and slot, against a golden pair."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol

import numpy as np
from PIL import Image

from dctnet.arrays import Pixels
from dctnet.engine import Cartoon
from dctnet.models.errors import ModelError
from dctnet.models.folder import GOLDEN_INPUT, SHIPPED_COMMON, ModelFolder
from dctnet.models.self_test import GoldenPair, read_image

MAX_MEAN_DIFFERENCE = 0.5
"""Most mean difference from the golden output, of 255: CPUs round differently."""

SAMPLE_SIDE = 224
"""Longest side of a style's sample, in pixels."""

SAMPLE_QUALITY = 80
"""WebP quality of a style's sample, of 100."""

SAMPLE_MEDIA_TYPE = "image/webp"


class SelfTestFailed(ModelError):
    """The model's output differs from its golden output."""


class CartoonEngine(Protocol):
    """Interface of the engine that cartoonizes images."""

    @property
    def is_hot(self) -> bool:
        """Whether the next call needs no transform of weights."""
        ...

    def require_memory(self, calls: int, /) -> None:
        """Raise MemoryError unless ``calls`` concurrent calls with the largest images fit."""
        ...

    def time_background(self, image: Pixels, /) -> float:
        """Return the seconds of the background stage."""
        ...

    def cartoonize(
        self,
        sample_image: Pixels,
        /,
        strength: float = 1.0,
        max_side: int | None = None,
        size: tuple[int, int] | None = None,
        allocate: Callable[[tuple[int, int, int]], Pixels] = ...,
    ) -> Cartoon:
        """Return the cartoon of an HxWx3 uint8 RGB image, as ``Engine.cartoonize`` does."""
        ...


@dataclass(frozen=True, slots=True)
class StyleUnderTest:
    """A style before its self-test."""

    engine: CartoonEngine
    model: ModelFolder


class WarmUp:
    """The self-test of every style, shared out among the slots.

    Called by each slot, which tests styles until all are tested, and at least one. Then
    `results`, `samples` and `broken` are complete.
    """

    def __init__(
        self,
        styles: Mapping[str, StyleUnderTest],
        calibrate: Callable[[float, float], None],
        *,
        optional: bool,
    ) -> None:
        """``calibrate`` gets working pixels and seconds of the background stage of each slot.

        With ``optional`` a style that fails is left out, instead of failing the slot.
        """
        self._styles = styles
        self._calibrate = calibrate
        self._optional = optional
        self._untested = deque(styles)
        self.results: dict[str, str] = {}
        """What was compared, by style."""
        self.samples: dict[str, bytes] = {}
        """Sample cartoon of each style, as WebP."""
        self.broken: dict[str, str] = {}
        """Why styles failed."""

    def __call__(self) -> None:
        """Warm up one slot; raise SelfTestFailed, and ModelError for an unreadable golden pair."""
        measured = False
        while style := self._next():
            try:
                measured |= self._test(style, measure=not measured)
            except ModelError as error:
                if not self._optional:
                    raise
                self.broken[style] = str(error)
        if not measured and (usable := self._styles.keys() - self.broken.keys()):
            style = next(each for each in self._styles if each in usable)
            self._test(style, measure=True)

    def _next(self) -> str | None:
        try:
            return self._untested.popleft()
        except IndexError:
            return None

    def _test(self, style: str, *, measure: bool) -> bool:
        """Test a style with its golden input, or with that of the shipped styles."""
        engine, model = self._styles[style].engine, self._styles[style].model
        golden = GoldenPair.read(model.files)
        image = golden.image if golden else read_image(SHIPPED_COMMON / GOLDEN_INPUT)
        cartoon = engine.cartoonize(image)
        if golden:
            _require_match(golden, cartoon, model)
        elif np.ptp(cartoon.image) == 0:
            raise SelfTestFailed(f"The model in {model.path} makes cartoons of one colour only.")
        self.results[style] = "the golden pair" if golden else "no golden pair"
        self.samples[style] = _sample(cartoon.image)
        if measure:
            # The faster of two runs: a runtime's first run is slow, and the process may be paused.
            seconds = min(cartoon.stages["background"], engine.time_background(image))
            self._calibrate(image.shape[0] * image.shape[1], seconds)
        return measure


def _sample(cartoon: Pixels) -> bytes:
    with BytesIO() as file:
        image = Image.fromarray(cartoon)
        image.thumbnail((SAMPLE_SIDE, SAMPLE_SIDE))
        image.save(file, "WEBP", quality=SAMPLE_QUALITY)
        return file.getvalue()


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
