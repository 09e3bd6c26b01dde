"""Landmarks of a frontal face."""

import numpy as np

FRONTAL_FACE = np.full((68, 2), 0.5, np.float32)
"""The landmarks that the engine uses, in iBUG's order, as x, y in 0..1 of the face's box."""

FRONTAL_FACE[36:42] = [
    *([0.28, 0.4], [0.32, 0.38], [0.36, 0.38]),
    *([0.4, 0.4], [0.36, 0.42], [0.32, 0.42]),
]
FRONTAL_FACE[42:48] = [
    *([0.6, 0.4], [0.64, 0.38], [0.68, 0.38]),
    *([0.72, 0.4], [0.68, 0.42], [0.64, 0.42]),
]
FRONTAL_FACE[30], FRONTAL_FACE[48], FRONTAL_FACE[54] = [0.5, 0.55], [0.37, 0.7], [0.63, 0.7]
