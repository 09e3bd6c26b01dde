"""Weights that training starts from: random ones, and a stair of tones that is built in.

A generator learns lines within minutes, but hardly learns to cut lightness into flat tones. So the
start has them: blurred colours and lightness pass through all layers in channels of their own, and
the last two layers cut them into steps, each the difference of two leaky ReLUs.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dctnet.models import generator_weights
from shipped_styles.filters import comic, poster, sketch

WEIGHT_SHAPES = {
    f"generator/{name}": shape
    for name, shape in generator_weights.shapes()
    if name != generator_weights.EPSILON
}

LIGHT, COLOURS = 0, (1, 2, 3)
"""Channels of every layer in which lightness and blue, green and red pass."""
LUMA = (0.114, 0.587, 0.299)
LEAK = 0.2
"""Slope of the leaky ReLU below 0."""
SCALE = 6.0
"""Full range of a passing channel before Conv_8: 2 from the first layer and 4 from below."""

FAINT = 0.02
"""Factor of the random weights of the last layer, so that at first only the built-in tones show."""

SLOW = 0.1
"""Factor of the learning rate of weights that carry and cut tones."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Start:
    """The drawing that the initial weights make of blurred colours; BGR in 0..1."""

    darkest: tuple[float, float, float]
    """Colour of the darkest tone."""
    rises: tuple[tuple[float, float, tuple[float, float, float]], ...]
    """Steps: lightness (L*), its half width, and what each colour gains."""
    chroma: float
    """Share of the difference between each colour and lightness that is kept."""


def _grey(lightness: float) -> float:
    """Return the grey of a lightness (L*), 0..1."""
    return float(cv2.cvtColor(np.float32([[[lightness, 0, 0]]]), cv2.COLOR_LAB2BGR)[0, 0, 0])


def _tones(cuts: tuple[float, ...], tones: list[Array], soft: float) -> Start:
    rises = tuple(
        (cut, soft, tuple(bright - dark))
        for cut, dark, bright in zip(cuts, tones[:-1], tones[1:], strict=True)
    )
    return Start(tuple(tones[0]), rises, 0.0)


def start_of(style: str) -> Start:
    """Return what the initial weights of a style draw."""
    if style == "comic":
        greys = [np.full(3, _grey(tone), np.float32) for tone in comic.TONES]
        start = _tones(comic.CUTS, greys, comic.CUT_SOFT)
        return Start(start.darkest, start.rises, 1.3)
    if style == "poster":
        inks = [poster.bgr(ink) / 255 for ink in poster.INKS]
        return _tones(poster.CUTS, inks, poster.CUT_SOFT)
    # A single wide step: the shading.
    lead, paper = sketch.LEAD / 255, sketch.PAPER / 255
    return _tones((41.0,), [lead, paper], 41.0)


def initial_weights(style: str, seed: int) -> dict[str, Array]:
    """Return the weights that the training of a style starts from, by name in the graph."""
    weights = random_weights(seed, output=FAINT)
    passing = (LIGHT, *COLOURS)
    for layer in ("Conv", "Conv_1", "Conv_2", "Conv_3", "Conv_4", "Conv_5", "Conv_6", "Conv_7"):
        weights[f"generator/{layer}/weights"][..., passing] = 0
    for block in range(4):
        weights[f"generator/block_{block}/conv2/weights"][..., passing] = 0

    # From [-1, 1] to 0..2.
    first = weights["generator/Conv/weights"]
    first[3, 3, :, LIGHT] = LUMA
    for source, channel in enumerate(COLOURS):
        first[3, 3, source, channel] = 1
    weights["generator/Conv/biases"][list(passing)] = 1
    binomial = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16
    # A stride of 2 starts at the top left, and upsampling continues from there.
    top_left = np.outer([0.7, 0.3, 0], [0.7, 0.3, 0]).astype(np.float32)
    centre = np.outer([0, 1, 0], [0, 1, 0]).astype(np.float32)
    kernels = {
        "Conv_1": top_left,
        "Conv_2": binomial,
        "Conv_3": top_left,
        "Conv_4": binomial,
        "Conv_5": 2 * centre,
        # 2 from the half size and 4 from below become 4.
        "Conv_6": centre * 2 / 3,
        "Conv_7": centre,
    }
    for layer, kernel in kernels.items():
        for channel in passing:
            weights[f"generator/{layer}/weights"][:, :, channel, channel] = kernel
    _add_stairs(weights, start_of(style))
    return weights


def learning_rates(style: str) -> dict[str, Array]:
    """Return the factor of each weight's learning rate: low for those that carry and cut tones.

    A stair is steep: at the full rate, the sum of many small changes moves tones by whole steps.
    """
    factors = {name: np.ones(shape, np.float32) for name, shape in WEIGHT_SHAPES.items()}
    passing = [LIGHT, *COLOURS]
    carrying = [name for name in factors if "Conv_8" not in name and "Conv_9" not in name]
    for name in carrying:
        if "conv1" not in name:
            factors[name][..., passing] = SLOW
    units = 4 + 2 * len(start_of(style).rises)
    for name in ("Conv_8/weights", "Conv_8/biases"):
        factors[f"generator/{name}"][..., :units] = SLOW
    factors["generator/Conv_9/weights"][:, :, :units] = SLOW
    return factors


def random_weights(seed: int, output: float = 0.3) -> dict[str, Array]:
    """Return He-normal weights for the leaky ReLU, smaller for residual branches.

    Those of the last layer are multiplied by `output`.
    """
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in WEIGHT_SHAPES.items():
        if len(shape) == 1:
            weights[name] = np.zeros(shape, np.float32)
            continue
        deviation = np.sqrt(2 / (1 + LEAK**2) / np.prod(shape[:3]))
        if name.endswith("conv2/weights"):
            deviation *= 0.3
        if "Conv_9" in name:
            deviation *= output
        weights[name] = (deviation * random.standard_normal(shape)).astype(np.float32)
    return weights


def _add_stairs(weights: dict[str, Array], start: Start) -> None:
    """Let Conv_8 and Conv_9 draw `start` from the passing channels."""
    inner, inner_bias = weights["generator/Conv_8/weights"], weights["generator/Conv_8/biases"]
    outer, outer_bias = weights["generator/Conv_9/weights"], weights["generator/Conv_9/biases"]
    units = 4 + 2 * len(start.rises)
    inner[..., :units] = 0
    outer[:, :, :units] = 0
    for channel in (LIGHT, *COLOURS):
        inner[1, 1, channel, channel] = 1
    for output, channel in enumerate(COLOURS):
        outer[3, 3, channel, output] += 2 / SCALE * start.chroma
        outer[3, 3, LIGHT, output] -= 2 / SCALE * start.chroma
    outer_bias[:] = 2 * np.array(start.darkest) - 1
    for index, (lightness, soft, rise) in enumerate(start.rises):
        low = SCALE * _grey(max(lightness - soft, 0))
        high = SCALE * _grey(lightness + soft)
        gain = 1 / np.sqrt((1 - LEAK) * (high - low))
        for unit, edge, sign in ((4 + 2 * index, low, 1), (5 + 2 * index, high, -1)):
            inner[1, 1, LIGHT, unit] = gain
            inner_bias[unit] = -gain * edge
            outer[3, 3, unit] = sign * gain * 2 * np.array(rise)
        # Below both edges the difference of the two leaky ReLUs is not 0.
        outer_bias -= LEAK * gain * gain * (high - low) * 2 * np.array(rise)
