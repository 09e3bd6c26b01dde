"""How far a converted network is from TensorFlow's, over images that the engine would give it."""

from dataclasses import dataclass

import numpy as np

from dctnet.arrays import Floats, Pixels
from dctnet.engine.detection import MIN_SCORE, find_faces
from dctnet.engine.geometry import pad_to_multiple, resize
from dctnet.engine.landmarks import find_landmarks
from dctnet.runtimes import Detector, Generator, Landmarker

MAX_BOX_DIFFERENCE = 1e-4
"""Of a face's box, as a share of the detector's image: a twentieth of one of its pixels."""

MAX_SCORE_DIFFERENCE = 1e-3

MAX_LANDMARK_DIFFERENCE = 1e-3
"""Of a landmark, as a share of the face's crop: a sixth of one of its pixels."""

MAX_LEVEL_DIFFERENCE = 1.0
"""Of a drawing, of 255."""

MAX_GENERATOR_SIDE = 288
"""Images are drawn in at most so many pixels on their long side: generators are slow."""


class OutputMismatch(Exception):
    """A converted network computes something else than TensorFlow; the message says how far."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A converted network that computes the same as TensorFlow's."""

    inputs: int
    """On how many inputs."""
    differences: dict[str, float]
    """The largest difference of each output."""


def compare_detectors(converted: Detector, reference: Detector, images: list[Pixels]) -> Comparison:
    """Compare the faces that the engine would read on each image; raises OutputMismatch."""
    inputs = _squares(images)
    largest = {"boxes": 0.0, "scores": 0.0}
    for number, square in enumerate(inputs, start=1):
        found, wanted = _faces(converted, square), _faces(reference, square)
        if len(found) != len(wanted):
            raise OutputMismatch(
                f"on image {number} of {len(inputs)} it finds {len(found)} faces, and TensorFlow"
                f" {len(wanted)}"
            )
        boxes, scores = _distances(found, wanted)
        largest = {
            "boxes": max(largest["boxes"], boxes),
            "scores": max(largest["scores"], scores),
        }
    _require(largest, {"boxes": MAX_BOX_DIFFERENCE, "scores": MAX_SCORE_DIFFERENCE})
    return Comparison(len(inputs), largest)


def compare_landmarkers(
    converted: Landmarker, reference: Landmarker, crops: list[Floats]
) -> Comparison:
    """Compare the landmarks of each crop of a face, 160x160x3 float32; raises OutputMismatch."""
    difference = max(float(np.abs(converted(crop) - reference(crop)).max()) for crop in crops)
    largest = {"landmarks": difference}
    _require(largest, {"landmarks": MAX_LANDMARK_DIFFERENCE})
    return Comparison(len(crops), largest)


def compare_generators(
    converted: Generator, reference: Generator, images: list[Pixels]
) -> Comparison:
    """Compare the drawing of each RGB image, in levels of 0..255; raises OutputMismatch."""
    difference = 0.0
    for image in images:
        drawn, wanted = converted(image), reference(image)
        if drawn.shape != wanted.shape or drawn.dtype != wanted.dtype:
            raise OutputMismatch(
                f"it draws {drawn.dtype} of shape {drawn.shape}, and TensorFlow {wanted.dtype} of"
                f" shape {wanted.shape}"
            )
        apart = np.abs(drawn.astype(np.float32) - wanted.astype(np.float32)).max()
        difference = max(difference, float(apart))
    largest = {"levels": difference}
    _require(largest, {"levels": MAX_LEVEL_DIFFERENCE})
    return Comparison(len(images), largest)


def face_crops(images: list[Pixels], detector: Detector) -> list[Floats]:
    """Return what the landmark network is given: every face, and the middle of every image.

    So that there are crops, and some of no face, whatever the detector finds. What is too small for
    the engine to draw is left out.
    """
    crops: list[Floats] = []

    def keep(crop: Floats) -> Floats:
        crops.append(crop)
        return np.zeros((68, 2), np.float32)

    for image in images:
        height, width = image.shape[:2]
        side = min(height, width) / 1.5
        left, top = (width - side) / 2, (height - side) / 2
        middle = np.array([left, top, left + side, top + side], np.float32)
        for box in (middle, *find_faces(image, detector)):
            find_landmarks(image, box, keep)
    return crops


def generator_input(image: Pixels) -> Pixels:
    """Make an image one that a generator takes, and small."""
    height, width = image.shape[:2]
    scale = min(1.0, MAX_GENERATOR_SIDE / max(height, width))
    return pad_to_multiple(resize(image, max(1, int(height * scale)), max(1, int(width * scale))))


def _squares(images: list[Pixels]) -> list[Pixels]:
    """Return what the detector is given, 512x512x3 each."""
    squares: list[Pixels] = []

    def keep(square: Pixels) -> tuple[Floats, Floats]:
        squares.append(square)
        return np.empty((0, 4), np.float32), np.empty(0, np.float32)

    for image in images:
        find_faces(image, keep)
    return squares


def _faces(detector: Detector, square: Pixels) -> Floats:
    """Return the faces as rows of y1, x1, y2, x2, score."""
    boxes, scores = detector(square)
    rows: Floats = np.column_stack([boxes, scores])
    return rows[scores > MIN_SCORE]


def _distances(found: Floats, wanted: Floats) -> tuple[float, float]:
    """Return how far boxes and scores are apart, each face from its nearest, in both directions.

    In which order the faces come does not matter to the engine.
    """
    if len(found) == 0:
        return 0.0, 0.0
    apart = np.abs(found[:, np.newaxis] - wanted[np.newaxis])
    boxes, scores = apart[..., :4].max(axis=2), apart[..., 4]
    nearest = [(i, boxes[i].argmin()) for i in range(len(found))]
    nearest += [(boxes[:, j].argmin(), j) for j in range(len(wanted))]
    return max(float(boxes[pair]) for pair in nearest), max(float(scores[pair]) for pair in nearest)


def _require(largest: dict[str, float], allowed: dict[str, float]) -> None:
    for name, difference in largest.items():
        if not difference <= allowed[name]:  # Also where it is no number.
            raise OutputMismatch(
                f"its {name} differ from TensorFlow's by {difference:.2g}, and at most"
                f" {allowed[name]:g} is allowed"
            )
