"""Reference layers in float64, with error bounds for float32.

The bounds are those of a running error analysis (Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, chapter 3): a sum of products whose every term goes through at most k roundings
has an error of at most gamma(k) times the sum of the terms' magnitudes.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAKY_SLOPE = 0.2


def gamma(roundings: int) -> float:
    """Return the bound on the relative error of consecutive float32 roundings."""
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


def _winograd(outputs: int, taps: int, *pairs: float) -> tuple[Array, Array, Array]:
    """Return the magnitudes of A, G and B of F(m, r) over the points 0, ±p for each p, infinity."""
    points = [0.0, *(sign * p for p in pairs for sign in (1, -1))]
    others = [[q for q in points if q != p] for p in points]
    a = np.vander([*points, 0], outputs, increasing=True).T
    g = np.vander([*points, 0], taps, increasing=True)
    for i, point in enumerate(points):
        g[i] /= np.prod(point - np.array(others[i]))
    a[:, -1], g[-1] = np.eye(outputs)[-1], np.eye(taps)[-1]
    # Of the polynomials with these roots, the constant coefficient first.
    b = np.array([*([*np.poly(roots)[::-1], 0] for roots in others), np.poly(points)[::-1]])
    return np.abs(a), np.abs(g), np.abs(b)


A63, G63, B63 = _winograd(6, 3, 1, 2, 1 / 2)
A47, G47, B47 = _winograd(4, 7, 3 / 8, 3 / 4, 5 / 4, 5 / 2)


def winograd_2d_magnitude(x: Array, weights: Array) -> Array:
    """Return the sums of the magnitudes of the terms of F(6×6, 3×3), for each output."""
    height, width = x.shape[:2]
    rows, columns = -(-height // 6) * 6, -(-width // 6) * 6
    padded = np.pad(np.abs(x), ((1, rows + 1 - height), (1, columns + 1 - width), (0, 0)))
    filters = np.einsum("pi,qj,ijco->pqco", G63, G63, np.abs(weights))
    result = np.empty((rows, columns, weights.shape[3]))
    for i in range(0, rows, 6):
        for j in range(0, columns, 6):
            points = np.einsum("pi,qj,ijc->pqc", B63, B63, padded[i : i + 8, j : j + 8])
            products = np.einsum("pqc,pqco->pqo", points, filters)
            result[i : i + 6, j : j + 6] = np.einsum("ip,jq,pqo->ijo", A63, A63, products)
    return result[:height, :width]


def winograd_1d_magnitude(x: Array, weights: Array) -> Array:
    """Return the sums of the magnitudes of the terms of F(4, 7) along the height."""
    height, width = x.shape[:2]
    rows = -(-height // 4) * 4
    padded = np.pad(np.abs(x), ((3, rows + 3 - height), (3, 3), (0, 0)))
    filters = np.einsum("pi,ijco->pjco", G47, np.abs(weights))
    result = np.empty((rows, width, weights.shape[3]))
    for i in range(0, rows, 4):
        points = np.einsum("pi,ijc->pjc", B47, padded[i : i + 10])
        products = sum(
            np.einsum("pxc,pco->pxo", points[:, j : j + width], filters[:, j]) for j in range(7)
        )
        result[i : i + 4] = np.einsum("ip,pxo->ixo", A47, products)
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
    """Return the mean over the part of each pixel's 3×3 box that lies in the image."""
    total, area = (
        sum(
            np.pad(values, ((1, 1), (1, 1), (0, 0)))[i : i + x.shape[0], j : j + x.shape[1]]
            for i in range(3)
            for j in range(3)
        )
        for values in (x, np.ones_like(x))
    )
    return total / area
