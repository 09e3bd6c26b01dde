"""Who computes a network: the interface that every runtime implements.

A network is a stateless function of its input. Calls may come from several threads at once.
"""

from dataclasses import dataclass
from typing import Protocol

from dctnet.arrays import Floats, GeneratorOutput, Pixels


class Generator(Protocol):
    """The cartoon generator: DCT-Net's U-Net with its guided filter."""

    def __call__(self, image: Pixels, /) -> GeneratorOutput:
        """Return the cartoon of `image`.

        `image` is HxWx3 uint8 in BGR, H and W multiples of 16. The answer has the same shape and
        colour order; it is uint8, or float32 where the graph ends without a cast, and may then
        leave 0..255.
        """
        ...

    def reserve(self, calls: int, height: int, width: int) -> None:
        """Take the memory of so many calls at once with images of this size.

        Raises MemoryError where there is not enough.
        """
        ...


class Detector(Protocol):
    """The face detector: FaceBoxes in the public models."""

    def __call__(self, image: Pixels, /) -> tuple[Floats, Floats]:
        """Return the boxes and scores of the faces in `image`.

        `image` is 512x512x3 uint8 in RGB. Boxes are Nx4 float32 as y1, x1, y2, x2 in 0..1;
        scores are N float32 in 0..1.
        """
        ...


class Landmarker(Protocol):
    """The face landmark network."""

    def __call__(self, face: Floats, /) -> Floats:
        """Return the 68 iBUG landmarks of `face`, 68x2 float32 as x, y in 0..1 of the crop.

        `face` is 160x160x3 float32 in RGB, 0..255.
        """
        ...


@dataclass(frozen=True)
class Networks:
    """The four networks of one model."""

    background: Generator
    head: Generator
    detector: Detector
    landmarks: Landmarker
