"""DCT-Net inference: from an image to its cartoon.

Paper: "DCT-Net: Domain-Calibrated Translation for Portrait Stylization", SIGGRAPH 2022.
Upstream: `modelscope/pipelines/cv/image_cartoon_pipeline.py`.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from dctnet.arrays import Floats, Pixels, empty
from dctnet.engine.alignment import Alignment, align, crop_head
from dctnet.engine.blending import blend
from dctnet.engine.detection import find_faces
from dctnet.engine.geometry import (
    largest_padded_size,
    output_size,
    pad_to_multiple,
    resize,
    resized_strips,
    working_size,
)
from dctnet.engine.landmarks import find_landmarks
from dctnet.engine.pupils import five_points
from dctnet.runtimes import Networks
from dctnet.shared_limits import MAX_WORKING_SIDE


@dataclass(frozen=True)
class Cartoon:
    """A cartoon with its statistics.

    `image` is HxWx3 uint8 RGB in the output size, `faces` the number of generated heads, `stages`
    the seconds of each stage: background, faces, head, blend. The time of a face detection beside
    the background counts only as far as the background does not take it anyway.
    """

    image: Pixels
    faces: int
    stages: dict[str, float]


class Engine:
    """Cartoonizes images with one model. Stateless: threads may share it."""

    def __init__(
        self, networks: Networks, alpha: Floats, max_working_side: int = MAX_WORKING_SIDE
    ) -> None:
        """Create an engine from networks and head mask, 288x288 float32 in 0..1."""
        self._networks = networks
        self._alpha = alpha
        self._max_working_side = max_working_side

    @property
    def is_hot(self) -> bool:
        """Whether the generators' weights are ready: if not, the next call transforms them."""
        return self._networks.background.is_hot and self._networks.head.is_hot

    def require_memory(self, calls: int) -> None:
        """Take the generators' memory for `calls` concurrent largest images, and free it.

        Raises MemoryError if there is not enough.
        """
        largest = largest_padded_size(self._max_working_side)
        self._networks.background.require_memory(calls, *largest)

    def time_background(self, image: Pixels) -> float:
        """Return the seconds of the background stage for an HxWx3 uint8 RGB image."""
        started = time.perf_counter()
        self._generate_background(self._photo(image, *image.shape[:2]))
        return time.perf_counter() - started

    def cartoonize(
        self,
        image: Pixels,
        strength: float = 1.0,
        max_side: int | None = None,
        size: tuple[int, int] | None = None,
        allocate: Callable[[tuple[int, int, int]], Pixels] = empty,
    ) -> Cartoon:
        """Return the cartoon of an HxWx3 uint8 RGB image of any size.

        `strength` mixes the cartoon, 1, with the image, 0; 0 runs the networks too. The cartoon's
        longest side has at most `max_side` pixels, 1 or more; None keeps the image's size. `size`
        is the (height, width) of an image that was decoded at a reduced scale.

        `allocate` returns an array of a shape for the cartoon. It may be the memory of `image`,
        from its start on; else `image` is only read. Beside both, this takes 3 bytes per pixel of
        the cartoon to mix in another size than the image's, plus the memory of the working size.
        Raises ValueError if `image` has another shape or type.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"not an HxWx3 uint8 image: {image.shape} {image.dtype}")
        if image.size == 0:
            raise ValueError(f"an empty image: {image.shape}")
        height, width = size or image.shape[:2]
        clock = _StageTimer()
        with clock.stage("background"):
            photo = self._photo(image, height, width)
        with self._detection(photo) as boxes:
            with clock.stage("background"):
                canvas = self._generate_background(photo)
            with clock.stage("faces"):
                alignments = self._align_faces(photo, boxes())
        for alignment in alignments:
            with clock.stage("head"):
                head = self._networks.head(_swap_colours(crop_head(photo, alignment)))
            with clock.stage("blend"):
                blend(canvas, head, self._alpha, alignment.to_image)
        with clock.stage("blend"):
            height, width = output_size(height, width, max_side)
            original = resize(image, height, width) if strength < 1 else None
            cartoon = allocate((height, width, 3))
            _render(canvas, cartoon, original, strength)
        return Cartoon(cartoon, len(alignments), clock.seconds)

    def _photo(self, image: Pixels, height: int, width: int) -> Pixels:
        """Return an image of height x width at its working size."""
        return resize(image, *working_size(height, width, self._max_working_side))

    def _generate_background(self, photo: Pixels) -> Floats:
        """Return the cartoon of the whole image, HxWx3 float32 BGR."""
        height, width = photo.shape[:2]
        cartoon = self._networks.background(pad_to_multiple(_swap_colours(photo)))
        return np.ascontiguousarray(cartoon[:height, :width], dtype=np.float32)

    @contextmanager
    def _detection(self, photo: Pixels) -> Iterator[Callable[[], Floats]]:
        """Yield the function that returns the face boxes.

        Where a thread is to spare, another thread finds them meanwhile.
        """
        detect = partial(find_faces, photo, self._networks.detector)
        if not self._networks.has_spare_thread():
            yield detect
            return
        with ThreadPoolExecutor(1, "detection") as pool:
            try:
                boxes = pool.submit(detect).result
            except RuntimeError:  # The system has no more threads.
                boxes = detect
            yield boxes

    def _align_faces(self, photo: Pixels, boxes: Floats) -> list[Alignment]:
        """Return the alignment of the face in each box, the largest face first."""
        faces = []
        for box in boxes:
            landmarks = find_landmarks(photo, box, self._networks.landmarks)
            if landmarks is not None:
                faces.append(landmarks)
        areas = np.array([np.prod(np.ptp(landmarks, axis=0)) for landmarks in faces])
        alignments = (align(five_points(photo, faces[i])) for i in areas.argsort()[::-1])
        return [alignment for alignment in alignments if alignment is not None]


class _StageTimer:
    """Total seconds of each stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("background", "faces", "head", "blend"), 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started


def _render(canvas: Floats, cartoon: Pixels, original: Pixels | None, strength: float) -> None:
    """Resize an HxWx3 float32 BGR canvas, and round it, into a uint8 RGB cartoon.

    Mixes in an original of the cartoon's size, with the weight 1 - `strength`; both may be the same
    memory.
    """
    np.clip(canvas, 0, 255, out=canvas)
    # Rounding before resizing would take less memory, but errs by up to 1.2 levels.
    for rows, strip in resized_strips(canvas, *cartoon.shape[:2]):
        drawn = _swap_colours(np.asarray(cv2.convertScaleAbs(strip), dtype=np.uint8))
        if original is None:
            cartoon[rows] = drawn
        else:
            cartoon[rows] = cv2.addWeighted(drawn, strength, original[rows], 1 - strength, 0)


def _swap_colours(image: Pixels) -> Pixels:
    """Convert RGB to BGR, or BGR to RGB."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), dtype=np.uint8)
