"""What the server drew, kept until the load is over and then decoded and checked.

Decoding would take the CPUs from the server while it is being measured. So an answer is only
hashed when it comes; the same bytes for the same image are kept and checked once.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import numpy as np
from PIL import Image

from loadtest.errors import LoadError
from loadtest.images import MEDIA_TYPES, Pixels, SourceImage

Check = Callable[[SourceImage, Pixels], str | None]
"""Takes an image and its answer, HxWx3 RGB; returns a sentence on what is wrong, or None. It is
called from several threads."""

_FORMATS = {media_type: format for format, media_type in MEDIA_TYPES.items()}


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with an answer of status 200."""

    kind: str
    """``content type``, ``undecodable``, ``size``, ``pixels`` or ``cut short``."""
    detail: str


@dataclass(frozen=True, slots=True)
class _Answer:
    image: int
    content_type: str
    offset: int
    length: int


def equals(right: Mapping[str, Pixels], tolerance: int = 0) -> Check:
    """Make a check against the right answers, HxWx3 RGB by the images' names.

    An answer may differ from its right one by at most ``tolerance`` levels of 255 anywhere.
    """

    def check(image: SourceImage, drawn: Pixels) -> str | None:
        difference = np.abs(drawn.astype(np.int16) - right[image.name]).max()
        if difference <= tolerance:
            return None
        return f"It differs from the right answer by {difference} levels."

    return check


class Answers:
    """The distinct answers of a run, in a temporary file: memory does not grow with their size."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - Closed by __exit__.
        self._size = 0
        self._answers: list[_Answer] = []
        self._numbers: dict[tuple[int, str, bytes], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def keep(self, image: int, content_type: str, body: bytes) -> int:
        """Keep an answer to an image of this index, if it is new, and return its number."""
        key = (image, content_type, hashlib.sha256(body).digest())
        number = self._numbers.setdefault(key, len(self._answers))
        if number == len(self._answers):
            try:
                _write(self._file.fileno(), body)
            except OSError as error:
                raise LoadError(
                    f"Answers cannot be kept in {tempfile.gettempdir()}: {error.strerror}. "
                    "Send fewer distinct images, or set TMPDIR to a larger disk."
                ) from None
            self._answers.append(_Answer(image, content_type, self._size, len(body)))
            self._size += len(body)
        return number

    def judge(self, images: Sequence[SourceImage], check: Check | None) -> list[Wrong | None]:
        """Decode and check all; return by their numbers what is wrong with each."""

        def wrong(answer: _Answer) -> Wrong | None:
            # Other than read, pread has no position that threads would share.
            body = os.pread(self._file.fileno(), answer.length, answer.offset)
            return judge(images[answer.image], answer.content_type, body, check)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(wrong, self._answers))


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:  # A disk that is nearly full takes a part of it.
        left = left[os.write(descriptor, left) :]


def judge(image: SourceImage, content_type: str, body: bytes, check: Check | None) -> Wrong | None:
    """Return what is wrong with one answer, or None."""
    if content_type not in _FORMATS:
        return Wrong("content type", f"The answer is {content_type or 'of no type'}.")
    try:
        drawn = _decoded(body, _FORMATS[content_type])
    except Exception as error:  # Pillow raises nearly anything for broken data.
        return Wrong("undecodable", f"The answer is no {content_type}: {error}.")
    height, width = drawn.shape[:2]
    if (width, height) != (image.width, image.height):
        wanted = f"{image.width}x{image.height}"
        return Wrong("size", f"The answer has {width}x{height} pixels, the image {wanted}.")
    sentence = check(image, drawn) if check else None
    return Wrong("pixels", sentence) if sentence else None


def _decoded(body: bytes, format: str) -> Any:
    """Decode strictly: OpenCV would fill in what is missing of an image that is cut off."""
    with Image.open(BytesIO(body), formats=[format]) as image:
        return np.asarray(image.convert("RGB"))
