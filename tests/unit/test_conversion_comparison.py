"""Comparison of converted networks with TensorFlow, on the engine's inputs and outputs."""

import numpy as np
import pytest

from dctnet.arrays import Floats, Pixels
from dctnet.conversion.comparison import (
    MAX_BOX_DIFFERENCE,
    MAX_LANDMARK_DIFFERENCE,
    MAX_LEVEL_DIFFERENCE,
    MAX_SCORE_DIFFERENCE,
    Comparison,
    OutputMismatch,
    compare_detectors,
    compare_generators,
    compare_landmarkers,
    face_crops,
    generator_input,
)
from dctnet.runtimes import Detector

IMAGES = [np.full((200, 280, 3), level, np.uint8) for level in (0, 90, 200)]
BOXES = np.array([[0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.9, 0.9], [0, 0, 1, 1]], np.float32)
SCORES = np.array([0.95, 0.9, 0.5], np.float32)


def detector(boxes: Floats = BOXES, scores: Floats = SCORES) -> Detector:
    def detect(image: Pixels) -> tuple[Floats, Floats]:
        assert image.shape == (512, 512, 3)
        return boxes, scores

    return detect


def test_order_of_faces_does_not_matter():
    turned = detector(BOXES[::-1], SCORES[::-1])
    assert compare_detectors(turned, detector(), IMAGES) == Comparison(
        3, {"boxes": 0.0, "scores": 0.0}
    )


def test_boxes_below_the_threshold_are_ignored():
    other = BOXES.copy()
    other[2] = 0.5
    assert compare_detectors(detector(other), detector(), IMAGES).differences["boxes"] == 0


@pytest.mark.parametrize("place", [0, 1])
def test_largest_box_difference_within_the_limit_is_reported(place):
    near, far = BOXES.copy(), BOXES.copy()
    near[place, 2] += MAX_BOX_DIFFERENCE * 0.9
    far[place, 2] += MAX_BOX_DIFFERENCE * 1.1
    found = compare_detectors(detector(near), detector(), IMAGES).differences["boxes"]
    assert found == pytest.approx(MAX_BOX_DIFFERENCE * 0.9, rel=0.01)
    with pytest.raises(
        OutputMismatch,
        match=r"^on image 1 of 3 its boxes differ from TensorFlow's by more than 0.0001$",
    ):
        compare_detectors(detector(far), detector(), IMAGES)


def test_score_difference_above_the_limit_is_rejected():
    far = SCORES - np.float32(MAX_SCORE_DIFFERENCE * 1.1)
    with pytest.raises(OutputMismatch, match="its scores differ"):
        compare_detectors(detector(scores=far), detector(), IMAGES)


def test_missing_face_is_rejected():
    with pytest.raises(
        OutputMismatch, match=r"^on image 1 of 3 it finds 1 faces, and TensorFlow 2$"
    ):
        compare_detectors(detector(scores=SCORES - np.float32(0.12)), detector(), IMAGES)


def undecided(margin: float) -> Detector:
    """A detector of one of two boxes, by an image's brightness: that of level 90 is close."""

    def detect(image: Pixels) -> tuple[Floats, Floats]:
        # Noise changes the mean of 786,432 values by some 0.00003 levels.
        kept = 0 if image[:, :, 0].mean(dtype=np.float64) < brightness + margin else 1
        return BOXES[kept : kept + 1], SCORES[:1]

    brightness = _brightness(IMAGES[1])
    return detect


def _brightness(image: Pixels) -> float:
    """The mean red of the detector's input for an image."""
    means = []

    def keep(square: Pixels) -> tuple[Floats, Floats]:
        means.append(square[:, :, 0].mean(dtype=np.float64))
        return BOXES[:0], SCORES[:0]

    compare_detectors(keep, keep, [image])
    return float(means[0])


def test_near_tie_is_accepted_if_noise_decides_it():
    """TensorFlow keeps one of two boxes, and the converted network the other."""
    ours, reference = undecided(1e-9), undecided(-1e-9)
    assert compare_detectors(ours, reference, IMAGES) == Comparison(
        3, {"boxes": 0.0, "scores": 0.0}, near_ties=1
    )


def test_difference_that_noise_does_not_explain_is_rejected():
    with pytest.raises(OutputMismatch, match=r"^on image 2 of 3 its boxes differ"):
        compare_detectors(undecided(0.01), undecided(-0.01), IMAGES)


def test_duplicate_face_is_rejected():
    twice = BOXES[[0, 0, 2]]
    with pytest.raises(OutputMismatch, match="its boxes differ"):
        compare_detectors(detector(twice), detector(), IMAGES)


def test_nan_is_rejected():
    with pytest.raises(OutputMismatch, match=r"differ from TensorFlow's by more than 0.001$"):
        compare_landmarkers(lambda x: x[0, :68, :2] * np.nan, lambda x: x[0, :68, :2], crops())


def crops() -> list[Floats]:
    return [np.zeros((160, 160, 3), np.float32)] * 4


def test_landmark_difference_limit():
    def off(by: float) -> Comparison:
        return compare_landmarkers(
            lambda _: np.full((68, 2), by, np.float32), lambda _: np.zeros((68, 2)), crops()
        )

    assert off(MAX_LANDMARK_DIFFERENCE * 0.9).inputs == 4
    with pytest.raises(OutputMismatch, match="its landmarks differ"):
        off(MAX_LANDMARK_DIFFERENCE * 1.1)


def test_cartoons_may_differ_by_one_level():
    images = [generator_input(image) for image in IMAGES]
    assert MAX_LEVEL_DIFFERENCE == 1
    found = compare_generators(lambda x: x // 2 + 1, lambda x: x // 2, images)
    assert found == Comparison(3, {"levels": 1.0})
    with pytest.raises(OutputMismatch, match=r"its levels differ .* by more than 1$"):
        compare_generators(lambda x: x // 2 + 2, lambda x: x // 2, images)
    with pytest.raises(OutputMismatch, match="its output is float32 of shape"):
        compare_generators(lambda x: x.astype(np.float32), lambda x: x, images)


def test_generator_input_sides_are_multiples_of_16():
    for shape in ((2, 640, 3), (512, 512, 3), (300, 420, 3), (16, 16, 3)):
        made = generator_input(np.zeros(shape, np.uint8))
        assert made.shape[0] % 16 == made.shape[1] % 16 == 0
        assert max(made.shape) <= 304


def test_crops_are_faces_and_image_centers():
    found = face_crops(IMAGES, detector())
    assert len(found) == 3 * (1 + 2)
    assert all(crop.shape == (160, 160, 3) and crop.dtype == np.float32 for crop in found)
