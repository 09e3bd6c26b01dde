"""Tensor signatures of upstream's graphs, and adapters to the network interfaces.

Converted graphs keep the names. Upstream: `modelscope/pipelines/cv/image_cartoon_pipeline.py`
and `modelscope/models/cv/cartoon/facelib/`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from dctnet.arrays import Floats, GeneratorOutput, Pixels
from dctnet.runtimes import Detector, Generator, Landmarker

Array = NDArray[Any]

Run = Callable[[Array], Sequence[Any]]
"""Function from a graph's image, float32, to its outputs."""

TRAINING = "training_flag:0"
"""Bool input of the face graphs, always false in inference."""

_LANDMARKS = 68


@dataclass(frozen=True, slots=True)
class Signature:
    """Names and shapes of a graph's input and outputs."""

    image: str
    shape: tuple[int | None, ...]
    """Shape of the image."""
    outputs: tuple[str, ...]


GENERATOR = Signature("input_image:0", (None, None, 3), ("output_image:0",))

DETECTOR = Signature(
    "tower_0/images:0",
    (1, 512, 512, 3),
    ("tower_0/boxes:0", "tower_0/scores:0", "tower_0/num_detections:0"),
)

LANDMARKS = Signature("tower_0/images:0", (1, 160, 160, 3), ("tower_0/prediction:0",))


def generator(run: Run) -> Generator:
    """Return the generator of a graph."""
    return _GraphGenerator(run)


class _GraphGenerator:
    """A `Generator` that allocates its memory only during inference."""

    is_hot = True

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, image: Pixels, /) -> GeneratorOutput:
        return cast("GeneratorOutput", self._run(image.astype(np.float32))[0])

    def has_spare_thread(self) -> bool:
        return False  # The runtime does not tell how many of its threads are in use.

    def require_memory(self, calls: int, height: int, width: int) -> None:
        images = [np.zeros((height, width, 3), np.uint8)] * calls
        with ThreadPoolExecutor(calls) as pool:
            for _ in pool.map(self, images):
                pass


def detector(run: Run) -> Detector:
    """Return the face detector of a graph."""

    def detect(image: Pixels) -> tuple[Floats, Floats]:
        boxes, scores, counts = run(image[np.newaxis].astype(np.float32))
        count = int(counts[0])
        return boxes[0][:count], scores[0][:count]

    return detect


def landmarker(run: Run) -> Landmarker:
    """Return the landmark network of a graph."""

    def locate(face: Floats) -> Floats:
        (prediction,) = run(face[np.newaxis])
        landmarks: Floats = prediction[0, : 2 * _LANDMARKS].reshape(_LANDMARKS, 2)
        return landmarks

    return locate
