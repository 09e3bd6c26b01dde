"""Network interfaces, which every runtime implements.

A network is a stateless function of its input; several threads may call it at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dctnet.arrays import Floats, GeneratorOutput, Pixels


class Generator(Protocol):
    """Cartoon generator: the U-Net of DCT-Net with its guided filter."""

    def __call__(self, image: "Pixels", /) -> "GeneratorOutput":
        """Return the cartoon of `image`.

        `image` is HxWx3 uint8 BGR, H and W multiples of 16. The cartoon has the same shape and
        colour order. It is uint8, or float32 if the graph ends without a cast; float32 values may
        lie outside 0..255.
        """
        ...

    @property
    def is_hot(self) -> bool:
        """Whether the weights are in the form that a call needs; a call makes them so."""
        ...

    def has_spare_thread(self) -> bool:
        """Whether another network may use a thread beside the next call."""
        ...

    def require_memory(self, calls: int, height: int, width: int) -> None:
        """Take the memory of `calls` concurrent calls with images of this size, and free it.

        Raises MemoryError if there is not enough.
        """
        ...


class Detector(Protocol):
    """Face detector: FaceBoxes in the public models."""

    def __call__(self, image: "Pixels", /) -> "tuple[Floats, Floats]":
        """Return the boxes and scores of the faces in `image`.

        `image` is 512x512x3 uint8 RGB. Boxes are Nx4 float32 as y1, x1, y2, x2 in 0..1;
        scores are N float32 in 0..1.
        """
        ...


class Landmarker(Protocol):
    """Face landmark network."""

    def __call__(self, face: "Floats", /) -> "Floats":
        """Return the 68 iBUG landmarks of `face`, 68x2 float32 as x, y in 0..1 of the crop.

        `face` is 160x160x3 float32 RGB, 0..255.
        """
        ...


@dataclass(frozen=True)
class Networks:
    """The four networks of one model."""

    background: Generator
    head: Generator
    detector: Detector
    landmarks: Landmarker
    has_spare_thread: Callable[[], bool] = lambda: False
    """Whether the detector may run beside the background that is about to be generated."""
