"""Face boxes equal upstream's FaceDetector and FaceAna.sort, with the same network output."""

from typing import Any

import numpy as np
import pytest

from dctnet.arrays import Floats, Pixels
from dctnet.engine.detection import MAX_FACES, find_faces
from tests.support.upstream import cartoon


class Network:
    """A detector with given outputs, which records its inputs."""

    def __init__(self, boxes: Any, scores: Any) -> None:
        self.boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        self.scores = np.asarray(scores, np.float32)
        self.shown: Pixels | None = None

    def __call__(self, image: Pixels) -> tuple[Floats, Floats]:
        self.shown = image
        return self.boxes, self.scores

    def run(self, _outputs: Any, feed_dict: dict[str, Any]) -> list[Any]:
        """Return outputs like a TensorFlow session, with two more rows than detections."""
        self.shown = feed_dict["images"][0]
        rows = np.full((1, len(self.boxes) + 2, 4), 9, np.float32)
        rows[0, : len(self.boxes)] = self.boxes
        scores = np.ones((1, len(self.scores) + 2), np.float32)
        scores[0, : len(self.scores)] = self.scores
        return [rows, scores, np.array([len(self.boxes)])]


def upstream_boxes(image: Pixels, network: Network) -> Any:
    """Run upstream's FaceDetector, and FaceAna's choice of the largest, on the network."""
    analyser = cartoon.FaceAna.__new__(cartoon.FaceAna)
    analyser.top_k = 10
    from modelscope.models.cv.cartoon.facelib.face_detector import FaceDetector

    detector = FaceDetector.__new__(FaceDetector)
    detector.thres, detector.input_shape = 0.8, (512, 512, 3)
    detector._sess, detector.output_ops = network, None
    detector.input_image, detector.training = "images", "training"
    boxes = detector(image)
    return analyser.sort(boxes) if len(boxes) > analyser.top_k else boxes


@pytest.mark.parametrize("shape", [(720, 960), (333, 517), (64, 48), (1280, 5), (512, 512)])
@pytest.mark.parametrize("count", [0, 1, 3, MAX_FACES, MAX_FACES + 1, 40])
def test_boxes_equal_upstream(shape, count):
    rng = np.random.default_rng(count)
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    corners = rng.uniform(0, 0.5, (count, 2))
    network = Network(
        np.hstack([corners, corners + rng.uniform(0.01, 0.5, (count, 2))]),
        rng.uniform(0.7, 1, count) if count < 10 else np.full(count, 0.9),
    )
    expected = upstream_boxes(image, network)
    shown = network.shown
    found = find_faces(image, network)
    np.testing.assert_array_equal(network.shown, shown)
    np.testing.assert_array_equal(found, np.reshape(expected, (-1, 5))[:, :4])
    assert len(found) <= MAX_FACES


def test_box_at_minimum_score_is_dropped():
    box = [0.1, 0.2, 0.5, 0.4]
    network = Network([box, box], [0.8, np.nextafter(np.float32(0.8), 1)])
    found = find_faces(np.zeros((512, 512, 3), np.uint8), network)
    np.testing.assert_allclose(found, [[0.2 * 512, 0.1 * 512, 0.4 * 512, 0.5 * 512]], rtol=1e-6)


def test_strip_below_one_detector_pixel_has_no_faces():
    network = Network([[0, 0, 1, 1]], [1])
    assert find_faces(np.zeros((2, 1280, 3), np.uint8), network).shape == (0, 4)
    assert network.shown is None
    assert find_faces(np.zeros((3, 1280, 3), np.uint8), network).shape == (1, 4)
