"""From a picture's bytes to its cartoon's bytes: what all drawing endpoints share."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Protocol

from flask import Response

from dctnet.config import Settings
from dctnet.engine import Cartoon
from dctnet.http.problems import STARTING, Problem
from dctnet.imaging import MEDIA_TYPES, Format, decode, encode, require_encodable
from dctnet.loading import label
from dctnet.models.folder import ModelFolder
from dctnet.runtimes import Pixels


class Cartoonist(Protocol):
    """What draws: the engine."""

    def cartoonize(self, picture: Pixels, /) -> Cartoon:
        """Return the cartoon of an HxWx3 uint8 RGB picture."""
        ...


@dataclass(frozen=True, slots=True)
class Drawing:
    """An encoded cartoon, and how it came to be."""

    data: bytes
    format: Format
    faces: int
    stages: dict[str, float]
    """The seconds that each stage took, in their order."""

    def response(self, model: ModelFolder) -> Response:
        """Return the answer that carries the cartoon."""
        response = Response(self.data, content_type=MEDIA_TYPES[self.format])
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Dctnet-Model"] = label(model)
        response.headers["X-Dctnet-Faces"] = str(self.faces)
        response.headers["Server-Timing"] = ", ".join(
            f"{stage};dur={seconds * 1000:.1f}" for stage, seconds in self.stages.items()
        )
        return response


class Studio:
    """Draws with the engine once it is loaded, at most ``settings.slots`` pictures at a time."""

    def __init__(self, settings: Settings, engine: Future[Cartoonist]) -> None:
        self._engine = engine
        self._max_pixels = settings.max_pixels
        self._slots = BoundedSemaphore(settings.slots)

    def require_open(self) -> None:
        """Raise Problem while the model is loading; to be asked before the body is read."""
        if not self._engine.done():
            raise Problem(STARTING, "The model is still loading; try again in a few seconds.")

    def draw(self, data: bytes, format: Format) -> Drawing:
        """Decode, draw and encode; raise PictureError."""
        self.require_open()
        stages: dict[str, float] = {}
        with _timed(stages, "queue"):
            self._slots.acquire()
        try:
            # Decoded in the slot as well: pixels take far more memory than the bytes.
            with _timed(stages, "decode"):
                picture = decode(data, self._max_pixels)
            require_encodable(picture.shape[1], picture.shape[0], format)
            cartoon = self._engine.result().cartoonize(picture)
            stages |= cartoon.stages
            with _timed(stages, "encode"):
                encoded = encode(cartoon.picture, format)
        finally:
            self._slots.release()
        return Drawing(encoded, format, cartoon.faces, stages)


@contextmanager
def _timed(stages: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    stages[stage] = time.perf_counter() - started
