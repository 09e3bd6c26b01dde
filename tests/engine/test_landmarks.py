"""Landmarks equal upstream's FaceLandmark, with the same network output."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dctnet.arrays import Floats
from dctnet.engine.landmarks import MIN_FACE_SIDE, find_landmarks
from tests.support.hypothesis_profiles import examples

pytestmark = pytest.mark.xdist_group("tensorflow")

IMAGE = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)


class Network:
    """A landmark network whose output depends on its input."""

    def __call__(self, face: Floats) -> Floats:
        assert face.shape == (160, 160, 3)
        assert face.dtype == np.float32
        seed = int(face.astype(np.int64).sum())
        return np.random.default_rng(seed).uniform(-0.1, 1.1, (68, 2)).astype(np.float32)

    def simple_run(self, face: Floats) -> tuple[Floats, None]:
        """Return outputs like upstream's FaceLandmark.simple_run."""
        return self(face).reshape(1, 136), None


def upstream_landmarks(image: Any, box: Floats) -> Any:
    from modelscope.models.cv.cartoon.facelib.face_landmark import FaceLandmark

    landmarks = FaceLandmark.__new__(FaceLandmark)
    landmarks.min_face, landmarks.keypoint_num = 60, 136
    landmarks.simple_run = Network().simple_run
    return landmarks._one_shot_run(image, box.copy(), 0)[0]


@examples(200)
@example(x=0, y=258, width=371, stretch=1.625)  # The window begins where the image ends.
@given(
    x=st.floats(-30, 380, width=32),
    y=st.floats(-30, 280, width=32),
    width=st.floats(30, 450, width=32),
    stretch=st.floats(0.625, 1.625, width=32),
)
def test_landmarks_equal_upstream(x, y, width, stretch):
    box = np.array([x, y, x + width, y + width * stretch], np.float32)
    expected = upstream_landmarks(IMAGE, box)
    found = find_landmarks(IMAGE, box, Network())
    if expected is None:
        assert found is None
    else:
        assert found is not None
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("width", "height", "generated"),
    [
        (MIN_FACE_SIDE, MIN_FACE_SIDE, False),
        (MIN_FACE_SIDE + 1, MIN_FACE_SIDE, True),
        (MIN_FACE_SIDE, MIN_FACE_SIDE + 1, True),
        (1, 1, False),
    ],
)
def test_box_with_one_side_above_minimum_is_used(width, height, generated):
    box = np.array([50, 50, 50 + width, 50 + height], np.float32)
    assert (find_landmarks(IMAGE, box, Network()) is not None) == generated


@pytest.mark.parametrize(
    "box",
    [
        (1000, 100, 1100, 200),  # Right of the image.
        (-300, 100, -200, 200),  # Left of it.
        (100, -900, 200, -800),  # Above.
        (200, 100, 100, 200),  # Inside out.
    ],
)
def test_box_outside_the_image_is_not_a_face(box):
    assert find_landmarks(IMAGE, np.array(box, np.float32), Network()) is None
