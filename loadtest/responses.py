"""Response bodies, stored during the load and validated after it.

Decoding during the load would take CPU from the server under test. So a response is only hashed on
arrival; equal bytes for one image are stored and validated once.
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
"""Takes an image and its cartoon, HxWx3 RGB; returns an error message, or None. Called from several
threads."""

_FORMATS = {media_type: format for format, media_type in MEDIA_TYPES.items()}


@dataclass(frozen=True, slots=True)
class InvalidResponse:
    """Error in a response with status 200."""

    reason: str
    """``content type``, ``undecodable``, ``size``, ``pixels`` or ``truncated``."""
    detail: str


@dataclass(frozen=True, slots=True)
class _StoredResponse:
    image: int
    content_type: str
    offset: int
    length: int


def compare_with(expected: Mapping[str, Pixels], tolerance: int = 0) -> Check:
    """Return a check against expected cartoons, HxWx3 RGB by image name.

    A pixel may differ by at most ``tolerance`` levels of 255.
    """

    def check(image: SourceImage, cartoon: Pixels) -> str | None:
        difference = np.abs(cartoon.astype(np.int16) - expected[image.name]).max()
        if difference <= tolerance:
            return None
        return f"It differs from the expected cartoon by {difference} levels."

    return check


class ResponseStore:
    """Distinct responses of a run, in a temporary file to bound memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - Closed by __exit__.
        self._size = 0
        self._responses: list[_StoredResponse] = []
        self._numbers: dict[tuple[int, str, bytes], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, image: int, content_type: str, body: bytes) -> int:
        """Store a response to the image at this index, if new; return its number."""
        key = (image, content_type, hashlib.sha256(body).digest())
        number = self._numbers.setdefault(key, len(self._responses))
        if number == len(self._responses):
            try:
                _write(self._file.fileno(), body)
            except OSError as error:
                raise LoadError(
                    f"Responses cannot be stored in {tempfile.gettempdir()}: {error.strerror}. "
                    "Send fewer distinct images, or set TMPDIR to a larger disk."
                ) from None
            self._responses.append(_StoredResponse(image, content_type, self._size, len(body)))
            self._size += len(body)
        return number

    def validate(
        self, images: Sequence[SourceImage], check: Check | None
    ) -> list[InvalidResponse | None]:
        """Decode and check all responses; return the error of each, by number."""

        def check_one(response: _StoredResponse) -> InvalidResponse | None:
            # Unlike read, pread has no file position that threads would share.
            body = os.pread(self._file.fileno(), response.length, response.offset)
            return validate_response(images[response.image], response.content_type, body, check)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(check_one, self._responses))


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:  # A nearly full disk takes only a part.
        left = left[os.write(descriptor, left) :]


def validate_response(
    image: SourceImage, content_type: str, body: bytes, check: Check | None
) -> InvalidResponse | None:
    """Return the error in one response, or None."""
    if content_type not in _FORMATS:
        return InvalidResponse("content type", f"The response type is {content_type or 'missing'}.")
    try:
        cartoon = _decode(body, _FORMATS[content_type])
    except Exception as error:  # Pillow raises nearly anything for broken data.
        return InvalidResponse(
            "undecodable", f"The response is not a valid {content_type}: {error}."
        )
    height, width = cartoon.shape[:2]
    if (width, height) != (image.width, image.height):
        expected_size = f"{image.width}x{image.height}"
        return InvalidResponse(
            "size", f"The response has {width}x{height} pixels, the image {expected_size}."
        )
    detail = check(image, cartoon) if check else None
    return InvalidResponse("pixels", detail) if detail else None


def _decode(body: bytes, format: str) -> Any:
    """Decode strictly with Pillow: OpenCV accepts truncated images."""
    with Image.open(BytesIO(body), formats=[format]) as image:
        return np.asarray(image.convert("RGB"))
