"""The layers in float64, and how far float32 may be from them.

The bounds are those of a running error analysis (Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, chapter 3): a sum of products whose every term goes through at most k roundings
is off by at most gamma(k) times the sum of the terms' magnitudes.
"""

from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAKY_SLOPE = 0.2


def gamma(roundings: int) -> float:
    """Return the bound on the relative error of as many float32 roundings in a row."""
    unit = 2.0**-24
    return roundings * unit / (1 - roundings * unit)


def leaky(values: Array) -> Array:
    return np.maximum(values, LEAKY_SLOPE * values)


def conv(x: Array, weights: Array, before: int, after: int, stride: int = 1) -> Array:
    """Return the correlation of HxWxI with kxkxIxO, zeros around it: no bias."""
    padded = np.pad(x, ((before, after), (before, after), (0, 0)))
    size = weights.shape[0]
    height = (padded.shape[0] - size) // stride + 1
    width = (padded.shape[1] - size) // stride + 1
    return sum(
        padded[i : i + stride * height : stride, j : j + stride * width : stride][:height, :width]
        @ weights[i, j]
        for i in range(size)
        for j in range(size)
    )


class Winograd:
    """F(m, r) over the points 0, ±p for each p, and infinity, made from exact fractions."""

    def __init__(self, outputs: int, taps: int, pairs: list[Fraction]) -> None:
        points = [Fraction(0), *(sign * p for p in pairs for sign in (1, -1))]
        self.outputs, self.taps, self.count = outputs, taps, outputs + taps - 1
        assert len(points) == self.count - 1
        others = [[q for q in points if q != p] for p in points]
        last = [Fraction(0)] * (len(points))
        self.a = np.array(
            [[*(p**i for p in points), Fraction(i == outputs - 1)] for i in range(outputs)], float
        )
        self.g = np.array(
            [
                [p**i / prod(p - q for q in rest) for i in range(taps)]
                for p, rest in zip(points, others, strict=True)
            ]
            + [[Fraction(i == taps - 1) for i in range(taps)]],
            float,
        )
        self.b = np.array(
            [[*_product(rest), *last[: self.count - len(rest) - 1]] for rest in others]
            + [_product(points)],
            float,
        )


def _product(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients of the product of (x - root), the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        scaled = [*(-root * c for c in coefficients), Fraction(0)]
        coefficients = [s + t for s, t in zip(shifted, scaled, strict=True)]
    return coefficients


F63 = Winograd(6, 3, [Fraction(1), Fraction(2), Fraction(1, 2)])
F47 = Winograd(4, 7, [Fraction(3, 8), Fraction(3, 4), Fraction(5, 4), Fraction(5, 2)])


def winograd_2d_magnitude(x: Array, weights: Array) -> Array:
    """Return the sums of the magnitudes of the terms of F(6×6, 3×3), for each output."""
    f = F63
    height, width = x.shape[:2]
    rows, columns = -(-height // f.outputs), -(-width // f.outputs)
    padded = np.pad(
        np.abs(x),
        (
            (1, rows * f.outputs + 1 - height),
            (1, columns * f.outputs + 1 - width),
            (0, 0),
        ),
    )
    a, b = np.abs(f.a), np.abs(f.b)
    filters = np.einsum("pi,qj,ijco->pqco", np.abs(f.g), np.abs(f.g), np.abs(weights))
    result = np.empty((rows * f.outputs, columns * f.outputs, weights.shape[3]))
    for i in range(0, rows * f.outputs, f.outputs):
        for j in range(0, columns * f.outputs, f.outputs):
            tile = padded[i : i + f.count, j : j + f.count]
            points = np.einsum("pi,qj,ijc->pqc", b, b, tile)
            products = np.einsum("pqc,pqco->pqo", points, filters)
            result[i : i + f.outputs, j : j + f.outputs] = np.einsum(
                "ip,jq,pqo->ijo", a, a, products
            )
    return result[:height, :width]


def winograd_1d_magnitude(x: Array, weights: Array) -> Array:
    """Return the sums of the magnitudes of the terms of F(4, 7) along the height."""
    f = F47
    height, width = x.shape[:2]
    rows = -(-height // f.outputs)
    padded = np.pad(np.abs(x), ((3, rows * f.outputs + 3 - height), (3, 3), (0, 0)))
    filters = np.einsum("pi,ijco->pjco", np.abs(f.g), np.abs(weights))
    result = np.empty((rows * f.outputs, width, weights.shape[3]))
    for i in range(0, rows * f.outputs, f.outputs):
        points = np.einsum("pi,ijc->pjc", np.abs(f.b), padded[i : i + f.count])
        products = sum(
            np.einsum("pxc,pco->pxo", points[:, j : j + width], filters[:, j]) for j in range(7)
        )
        result[i : i + f.outputs] = np.einsum("ip,pxo->ixo", np.abs(f.a), products)
    return result[:height]


def enlarged(low: Array) -> Array:
    """Return twice the size by TensorFlow's asymmetric bilinear interpolation."""
    for axis in (0, 1):
        after = np.concatenate([np.delete(low, 0, axis), np.take(low, [-1], axis)], axis=axis)
        low = np.stack([low, (low + after) / 2], axis + 1).reshape(
            *low.shape[:axis], 2 * low.shape[axis], *low.shape[axis + 1 :]
        )
    return low


def box_mean(x: Array) -> Array:
    """Return the mean over the part of each pixel's 3×3 box that lies in the picture."""
    total, area = (
        sum(
            np.pad(values, ((1, 1), (1, 1), (0, 0)))[i : i + x.shape[0], j : j + x.shape[1]]
            for i in range(3)
            for j in range(3)
        )
        for values in (x, np.ones_like(x))
    )
    return total / area
