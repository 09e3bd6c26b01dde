"""DCT-Net's inference: an image in, its cartoon out.

Paper: "DCT-Net: Domain-Calibrated Translation for Portrait Stylization", SIGGRAPH 2022.
Upstream: `modelscope/pipelines/cv/image_cartoon_pipeline.py`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from dctnet.arrays import Floats, Pixels
from dctnet.engine.alignment import Alignment, align, crop_head
from dctnet.engine.blending import blend
from dctnet.engine.detection import find_faces
from dctnet.engine.geometry import largest_padded_size, pad_to_multiple, resize, working_size
from dctnet.engine.landmarks import find_landmarks
from dctnet.engine.pupils import five_points
from dctnet.runtimes import Networks

MAX_WORKING_SIDE = 1280
"""Default of the longest side at which an image is worked on, in pixels."""


@dataclass(frozen=True)
class Cartoon:
    """What the engine made of an image.

    `image` is HxWx3 uint8 RGB at the input's size, `faces` the number of heads drawn, `stages`
    the seconds that each stage took: background, faces, head, blend.
    """

    image: Pixels
    faces: int
    stages: dict[str, float]


class Engine:
    """Turns images into cartoons with one model. Stateless: threads may share it."""

    def __init__(
        self, networks: Networks, alpha: Floats, max_working_side: int = MAX_WORKING_SIDE
    ) -> None:
        """Take the model's networks and its head mask, 288x288 float32 in 0..1."""
        self._networks = networks
        self._alpha = alpha
        self._max_working_side = max_working_side

    def reserve(self, calls: int) -> None:
        """Take the networks' memory for so many calls at once with the largest images.

        Raises MemoryError where there is not enough.
        """
        self._networks.background.reserve(calls, *largest_padded_size(self._max_working_side))

    def cartoonize(self, image: Pixels) -> Cartoon:
        """Return the cartoon of an HxWx3 uint8 RGB image of any size.

        `image` is only read. Beside it and the cartoon, drawing takes 5 bytes per pixel, and what
        the working size takes. Raises ValueError where `image` is of another shape or type.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"not an HxWx3 uint8 image: {image.shape} {image.dtype}")
        if image.size == 0:
            raise ValueError(f"an empty image: {image.shape}")
        height, width = image.shape[:2]
        clock = _StageTimer()
        with clock.stage("background"):
            photo = resize(image, *working_size(height, width, self._max_working_side))
            canvas = self._generate_background(photo)
        with clock.stage("faces"):
            alignments = self._align_faces(photo)
        for alignment in alignments:
            with clock.stage("head"):
                head = self._networks.head(_swap_colours(crop_head(photo, alignment)))
            with clock.stage("blend"):
                blend(canvas, head, self._alpha, alignment.to_image)
        with clock.stage("blend"):
            cartoon = _to_rgb(canvas, height, width)
        return Cartoon(cartoon, len(alignments), clock.seconds)

    def _generate_background(self, photo: Pixels) -> Floats:
        """Return the whole image drawn, HxWx3 float32 BGR."""
        height, width = photo.shape[:2]
        drawn = self._networks.background(pad_to_multiple(_swap_colours(photo)))
        return np.ascontiguousarray(drawn[:height, :width], dtype=np.float32)

    def _align_faces(self, photo: Pixels) -> list[Alignment]:
        """Return how each face is turned upright, the largest face first."""
        found = []
        for box in find_faces(photo, self._networks.detector):
            landmarks = find_landmarks(photo, box, self._networks.landmarks)
            if landmarks is not None:
                found.append(landmarks)
        areas = np.array([np.prod(np.ptp(landmarks, axis=0)) for landmarks in found])
        alignments = (align(five_points(photo, found[i])) for i in areas.argsort()[::-1])
        return [alignment for alignment in alignments if alignment is not None]


class _StageTimer:
    """Adds up the seconds of each stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("background", "faces", "head", "blend"), 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started


def _to_rgb(canvas: Floats, height: int, width: int) -> Pixels:
    """Resize an HxWx3 float32 BGR canvas by area averaging, and round it to uint8 RGB.

    One channel at a time: a large image takes 5 bytes per pixel beside the result, not 33. Rounding
    first would take none, but is up to 1.2 levels off.
    """
    rgb: Pixels = np.empty((height, width, 3), np.uint8)
    np.clip(canvas, 0, 255, out=canvas)
    for channel, levels in enumerate(reversed(cv2.split(canvas))):
        resized = cv2.resize(levels, (width, height), interpolation=cv2.INTER_AREA)
        rounded = cv2.convertScaleAbs(resized)
        del resized
        cv2.insertChannel(rounded, rgb, channel)
    return rgb


def _swap_colours(image: Pixels) -> Pixels:
    """Turn RGB into BGR and back."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), dtype=np.uint8)
