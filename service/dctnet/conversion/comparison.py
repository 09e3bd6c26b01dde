"""Comparison of converted networks with TensorFlow, on inputs as the engine makes them."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from dctnet.arrays import Floats, Pixels
from dctnet.engine.detection import MIN_SCORE, find_faces
from dctnet.engine.geometry import pad_to_multiple, resize
from dctnet.engine.landmarks import find_landmarks
from dctnet.runtimes import Detector, Generator, Landmarker

MAX_BOX_DIFFERENCE = 1e-4
"""Largest box difference, as a fraction of the detector's image side: 1/20 pixel."""

MAX_SCORE_DIFFERENCE = 1e-3
"""Largest difference of a face's score."""

MAX_NOISE = 0.05
"""Largest change of an image, in levels of 255, under which TensorFlow's own faces may become those
of the converted detector: two overlapping boxes may have equal scores but for rounding, and which
of them remains is then chance."""

NOISES = 16
"""How many such changes are tried."""

MAX_LANDMARK_DIFFERENCE = 1e-3
"""Largest landmark difference, as a fraction of the crop's side: 1/6 pixel."""

MAX_LEVEL_DIFFERENCE = 1.0
"""Largest difference of a cartoon's value, of 255."""

MAX_GENERATOR_SIDE = 288
"""Longest side of generator inputs, in pixels: generators are slow."""


class OutputMismatch(Exception):
    """The outputs of a converted network differ from TensorFlow's; the message says how much."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a successful comparison."""

    inputs: int
    """Number of inputs."""
    differences: dict[str, float]
    """Largest absolute difference of each output."""
    near_ties: int = 0
    """Inputs on which both agree only if TensorFlow's is changed by at most `MAX_NOISE`."""


def compare_detectors(converted: Detector, reference: Detector, images: list[Pixels]) -> Comparison:
    """Compare boxes and scores above the engine's threshold; raise OutputMismatch."""
    inputs = _squares(images)
    largest = {"boxes": 0.0, "scores": 0.0}
    near_ties = 0
    for number, square in enumerate(inputs, start=1):
        found = _faces(converted, square)
        try:
            differences = _compare_faces(found, _faces(reference, square))
        except OutputMismatch as mismatch:
            tie = _compare_with_noise(found, reference, square)
            if tie is None:
                raise OutputMismatch(f"on image {number} of {len(inputs)} {mismatch}") from mismatch
            differences, near_ties = tie, near_ties + 1
        largest = {name: max(largest[name], differences[name]) for name in largest}
    return Comparison(len(inputs), largest, near_ties)


def _compare_with_noise(
    found: Floats, reference: Detector, square: Pixels
) -> dict[str, float] | None:
    """Compare faces with TensorFlow's on images that look the same; None if none agrees."""
    random = np.random.default_rng(0)
    for _ in range(NOISES):
        noise = random.uniform(-MAX_NOISE, MAX_NOISE, square.shape).astype(np.float32)
        noisy = cast("Pixels", square + noise)  # A frozen graph's input is float32 anyway.
        try:
            return _compare_faces(found, _faces(reference, noisy))
        except OutputMismatch:
            continue
    return None


def _compare_faces(found: Floats, wanted: Floats) -> dict[str, float]:
    """Return the largest differences; raise OutputMismatch if they are not the same faces."""
    if len(found) != len(wanted):
        raise OutputMismatch(f"it finds {len(found)} faces, and TensorFlow {len(wanted)}")
    boxes, scores = _distances(found, wanted)
    differences = {"boxes": boxes, "scores": scores}
    _require(differences, {"boxes": MAX_BOX_DIFFERENCE, "scores": MAX_SCORE_DIFFERENCE})
    return differences


def compare_landmarkers(
    converted: Landmarker, reference: Landmarker, crops: list[Floats]
) -> Comparison:
    """Compare the landmarks of each crop, 160x160x3 float32; raise OutputMismatch."""
    difference = max(float(np.abs(converted(crop) - reference(crop)).max()) for crop in crops)
    largest = {"landmarks": difference}
    _require(largest, {"landmarks": MAX_LANDMARK_DIFFERENCE})
    return Comparison(len(crops), largest)


def compare_generators(
    converted: Generator, reference: Generator, images: list[Pixels]
) -> Comparison:
    """Compare the cartoons of RGB images, in levels of 255; raise OutputMismatch."""
    difference = 0.0
    for image in images:
        cartoon, expected = converted(image), reference(image)
        if cartoon.shape != expected.shape or cartoon.dtype != expected.dtype:
            raise OutputMismatch(
                f"its output is {cartoon.dtype} of shape {cartoon.shape}, and TensorFlow's"
                f" {expected.dtype} of shape {expected.shape}"
            )
        distance = np.abs(cartoon.astype(np.float32) - expected.astype(np.float32)).max()
        difference = max(difference, float(distance))
    largest = {"levels": difference}
    _require(largest, {"levels": MAX_LEVEL_DIFFERENCE})
    return Comparison(len(images), largest)


def face_crops(images: list[Pixels], detector: Detector) -> list[Floats]:
    """Return inputs of the landmark network: the crops of all faces and of all image centers.

    The centers guarantee crops, some without a face. Crops below the engine's size limit are
    omitted.
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
    """Scale an image down to `MAX_GENERATOR_SIDE` and pad it for a generator."""
    height, width = image.shape[:2]
    scale = min(1.0, MAX_GENERATOR_SIDE / max(height, width))
    return pad_to_multiple(resize(image, max(1, int(height * scale)), max(1, int(width * scale))))


def _squares(images: list[Pixels]) -> list[Pixels]:
    """Return the inputs of the detector, 512x512x3 each."""
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
    """Return the largest differences of boxes and scores, nearest to nearest, both directions.

    The order of the faces does not matter to the engine.
    """
    if len(found) == 0:
        return 0.0, 0.0
    distances = np.abs(found[:, np.newaxis] - wanted[np.newaxis])
    boxes, scores = distances[..., :4].max(axis=2), distances[..., 4]
    nearest = [(i, boxes[i].argmin()) for i in range(len(found))]
    nearest += [(boxes[:, j].argmin(), j) for j in range(len(wanted))]
    return max(float(boxes[pair]) for pair in nearest), max(float(scores[pair]) for pair in nearest)


def _require(largest: dict[str, float], allowed: dict[str, float]) -> None:
    for name, difference in largest.items():
        if not difference <= allowed[name]:  # Also for NaN.
            # Without the measured value, which depends on the CPU: the manifest has this reason.
            raise OutputMismatch(
                f"its {name} differ from TensorFlow's by more than {allowed[name]:g}"
            )
