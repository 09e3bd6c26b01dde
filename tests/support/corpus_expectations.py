"""What a server may answer to a picture of the corpus."""

from collections.abc import Mapping

from dctnet.api.problems import (
    BROKEN_PICTURE,
    NO_PICTURE,
    TOO_MANY_PIXELS,
    UNSUPPORTED_FORMAT,
    Kind,
)
from dctnet.imaging import BrokenPicture, PictureError, TooManyPixels, UnsupportedFormat
from tests.support.corpus import ANY_SHAPE, Sample
from tests.support.encoded_images import decoded

_KINDS: Mapping[type[PictureError], Kind] = {
    BrokenPicture: BROKEN_PICTURE,
    TooManyPixels: TOO_MANY_PIXELS,
    UnsupportedFormat: UNSUPPORTED_FORMAT,
}


def require_picture(sample: Sample, data: bytes) -> None:
    """Fail unless these bytes are a picture of a shape that the sample may have."""
    assert decoded(data).shape[:2] in sample.shapes or sample.shapes == ANY_SHAPE, sample.name


def require_problem(sample: Sample, status: int, document: Mapping[str, object]) -> None:
    """Fail unless this is one of the problems as which the sample may be refused."""
    allowed = {_KINDS[error] for error in sample.errors} if sample.data else {NO_PICTURE}
    assert (document["type"], status) in {(kind.type, kind.status) for kind in allowed}, sample.name
