"""The flow of an image's edges, and filters along and across it.

Kang, Lee and Chui, "Coherent line drawing" (NPAR 2007); Kyprianidis and Döllner, "Image abstraction
by structure adaptive filtering" (2008).
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shipped_styles.filters.smoothing import BORDER, bilateral, blur, derivatives

Plane = NDArray[np.float32]

REACH = 12
"""Length of a flow curve to either side, in steps of one pixel."""


class Lines(NamedTuple):
    """Parameters of a set of lines, lengths in pixels."""

    width: float
    """Standard deviation across the edge of the narrow Gaussian, which sets the line's width."""
    length: float
    """Standard deviation of the smoothing along the edge."""


class Flow:
    """The direction of the edges at each pixel, and the curves that follow it."""

    def __init__(self, lab: Plane, sigma: float) -> None:
        """Find the flow of an HxWx3 Lab image, smoothed by `sigma` pixels; larger is calmer."""
        lab = bilateral(lab, rounds=2, side=7, colour=8.0, space=3.0)
        rr, rd, dd = (np.zeros(lab.shape[:2], np.float32) for _ in range(3))
        for channel in cv2.split(lab):
            right, down = derivatives(channel)
            rr, rd, dd = rr + right * right, rd + right * down, dd + down * down
        rr, rd, dd = blur(rr, sigma), blur(rd, sigma), blur(dd, sigma)
        # The gradient's angle is half that of (rr - dd, 2 rd); the edge is perpendicular to it.
        angle = 0.5 * np.arctan2(2 * rd, rr - dd) + np.float32(np.pi / 2)
        self._tangent = np.dstack([np.cos(angle), np.sin(angle)]).astype(np.float32)
        rows, columns = np.mgrid[: lab.shape[0], : lab.shape[1]].astype(np.float32)
        self._origin = np.dstack([columns, rows])
        self._curves = [self._curve(1.0), self._curve(-1.0)]

    def _curve(self, sign: float) -> list[tuple[NDArray, NDArray]]:
        """Return the positions after 1, 2, ... steps along the flow, as maps for `cv2.remap`."""
        position, direction, curve = self._origin, sign * self._tangent, []
        for _ in range(REACH):
            position = position + direction
            maps = cv2.convertMaps(position, None, cv2.CV_16SC2)
            curve.append(maps)
            there = cv2.remap(self._tangent, maps[0], None, cv2.INTER_NEAREST, borderMode=BORDER)
            # A tangent has two directions: the curve goes on in the one that turns less.
            opposite = np.sum(there * direction, axis=2, keepdims=True) < 0
            direction = np.where(opposite, -there, there)
        return curve

    def along(self, x: Plane, sigma: float) -> Plane:
        """Return the Gaussian mean of x along the flow, `sigma` in pixels, at most 6."""
        total, sum_of_weights = x.copy(), 1.0
        for curve in self._curves:
            for distance, maps in enumerate(curve[: int(np.ceil(2 * sigma))], 1):
                weight = float(np.exp(-(distance**2) / (2 * sigma**2)))
                total += weight * cv2.remap(x, *maps, cv2.INTER_LINEAR, borderMode=BORDER)
                sum_of_weights += weight
        return np.ascontiguousarray(total / np.float32(sum_of_weights))

    def edges(self, light: Plane, lines: Lines) -> Plane:
        """Return the darkness of lines: a difference of Gaussians across the flow.

        Smoothed along the flow; positive on the dark side of an edge; in units of `light`.
        """
        wide = 1.6 * lines.width
        reach = int(np.ceil(2.5 * wide))
        weights = 0.99 * _gaussian(wide, reach) - _gaussian(lines.width, reach)
        normal = np.dstack([-self._tangent[..., 1], self._tangent[..., 0]])
        total = np.zeros_like(light)
        for offset, weight in zip(range(-reach, reach + 1), weights, strict=True):
            maps = cv2.convertMaps(self._origin + np.float32(offset) * normal, None, cv2.CV_16SC2)
            moved = cv2.remap(light, *maps, cv2.INTER_LINEAR, borderMode=BORDER)
            total += np.float32(weight) * moved
        return self.along(total, lines.length)

    def without_specks(self, lines: Plane, least: float, soft: float) -> Plane:
        """Return lines, 0..1, where they cover more than the share `least` of the flow nearby."""
        return lines * step(self.along(lines, 5.0) - least, soft)


def _gaussian(sigma: float, reach: int) -> NDArray:
    offset = np.arange(-reach, reach + 1)
    weights = np.exp(-(offset**2) / (2 * sigma**2))
    return weights / weights.sum()


def step(x: Plane, half_width: float | Plane) -> Plane:
    """Return a smooth step from 0 at x = -half_width to 1 at x = half_width."""
    t = np.clip(x / (2 * half_width) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)
