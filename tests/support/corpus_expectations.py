"""Expected responses to the images of the corpus."""

from collections.abc import Mapping

from dctnet.api.problems import (
    DAMAGED_IMAGE,
    MISSING_IMAGE,
    TOO_MANY_PIXELS,
    UNSUPPORTED_FORMAT,
    ProblemType,
)
from dctnet.imaging import DamagedImage, ImageError, TooManyPixels, UnsupportedFormat
from tests.support.corpus import ANY_SHAPE, Sample
from tests.support.encoded_images import decoded

_PROBLEM_TYPES: Mapping[type[ImageError], ProblemType] = {
    DamagedImage: DAMAGED_IMAGE,
    TooManyPixels: TOO_MANY_PIXELS,
    UnsupportedFormat: UNSUPPORTED_FORMAT,
}


def require_image(sample: Sample, data: bytes) -> None:
    """Fail unless the bytes are an image of an expected shape."""
    assert decoded(data).shape[:2] in sample.shapes or sample.shapes == ANY_SHAPE, sample.name


def require_problem(sample: Sample, status: int, document: Mapping[str, object]) -> None:
    """Fail unless the problem is an expected one for the sample."""
    allowed = {_PROBLEM_TYPES[error] for error in sample.errors} if sample.data else {MISSING_IMAGE}
    assert (document["type"], status) in {
        (problem_type.uri, problem_type.status) for problem_type in allowed
    }, sample.name
