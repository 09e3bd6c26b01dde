"""Pupils and the five points equal upstream's find_pupil and get_f5p."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.arrays import Pixels
from dctnet.engine.pupils import find_pupil, five_points
from tests.support.hypothesis_profiles import examples
from tests.support.upstream import cartoon


def eyes_image(seed: int) -> Pixels:
    """Return 120x160 pixels with smooth light and dark spots."""
    noise = np.random.default_rng(seed).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


@examples(300)
@given(
    seed=st.integers(0, 50),
    center=st.tuples(st.integers(-5, 165), st.integers(-5, 125)),
    size=st.tuples(st.integers(0, 25), st.integers(0, 14)),
)
def test_five_points_equal_upstream(seed, center, size):
    image = eyes_image(seed)
    rng = np.random.default_rng(seed)
    landmarks = rng.integers(0, 100, (68, 2)).astype(np.float32)
    for first in (36, 42):
        landmarks[first : first + 6] = np.round(center + rng.uniform(-1, 1, (6, 2)) * size)
    expected = np.float32(cartoon.get_f5p(landmarks, image[:, :, ::-1]))
    np.testing.assert_array_equal(five_points(image, landmarks), expected)


def test_pupil_is_median_of_dark_pixels():
    image = np.full((60, 60, 3), 230, np.uint8)
    cv2.circle(image, (33, 28), 4, (20, 20, 20), -1)
    eye = np.array([[15, 28], [25, 20], [38, 20], [48, 28], [38, 37]], np.float32)
    pupil = find_pupil(image, eye)
    assert pupil is not None
    np.testing.assert_array_equal(pupil, [33, 28])


@pytest.mark.parametrize(
    "eye",
    [
        [[10, 20], [30, 20], [20, 20]],  # Closed to a line.
        [[20, 10], [20, 30], [20, 20]],
        [[-1, 10], [10, 10], [5, 20]],  # One pixel outside each border.
        [[10, -1], [20, 5], [15, 10]],
        [[40, 10], [61, 10], [50, 20]],
        [[10, 40], [20, 61], [30, 50]],
    ],
)
def test_closed_or_cropped_eye_has_no_pupil(eye):
    assert find_pupil(np.zeros((60, 60, 3), np.uint8), np.array(eye, np.float32)) is None


def test_eye_at_the_image_border_has_a_pupil():
    eye = np.array([[0, 0], [60, 0], [60, 60], [0, 60]], np.float32)
    assert find_pupil(eyes_image(1)[:60, :60], eye) is not None


def test_missing_pupil_replaces_both_by_eye_means():
    landmarks = np.random.default_rng(3).integers(20, 100, (68, 2)).astype(np.float32)
    landmarks[36:42] = 50  # Closed.
    points = five_points(eyes_image(2), landmarks)
    np.testing.assert_array_equal(points[0], [50, 50])
    np.testing.assert_array_equal(points[1], landmarks[42:47].mean(axis=0))
    np.testing.assert_array_equal(points[2:], landmarks[[30, 48, 54]])
