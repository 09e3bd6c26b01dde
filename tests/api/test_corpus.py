"""Broken, hostile and odd pictures over HTTP: a cartoon or the right problem, never a defect."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from dctnet.app import create_app
from dctnet.config import MIB, Settings
from dctnet.http.problems import (
    BROKEN_PICTURE,
    NO_PICTURE,
    TOO_MANY_PIXELS,
    UNSUPPORTED_FORMAT,
    Kind,
)
from dctnet.imaging import BrokenPicture, PictureError, TooManyPixels, UnsupportedFormat
from tests.api.conftest import replica_of
from tests.support.corpus import ANY_SHAPE, MAX_PIXELS, Sample, corpus
from tests.support.encoded import decoded

KINDS: dict[type[PictureError], Kind] = {
    BrokenPicture: BROKEN_PICTURE,
    TooManyPixels: TOO_MANY_PIXELS,
    UnsupportedFormat: UNSUPPORTED_FORMAT,
}


@pytest.fixture(scope="module")
def roomy(settings: Settings) -> FlaskClient:
    """A client of a server that takes all samples as they are."""
    settings = replace(settings, max_bytes=10 * MIB, max_pixels=MAX_PIXELS)
    return create_app(replica_of(settings)).test_client()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sample", corpus(), ids=lambda sample: sample.name)
def test_the_answer_is_a_cartoon_or_the_right_problem(roomy: FlaskClient, sample: Sample) -> None:
    response = roomy.post("/v1/cartoons", data=sample.data)
    if response.status_code == 200:
        shape = decoded(response.data).shape[:2]
        assert shape in sample.shapes or sample.shapes == ANY_SHAPE
        return
    assert response.content_type == "application/problem+json"
    allowed = {KINDS[error] for error in sample.errors} if sample.data else {NO_PICTURE}
    assert (response.get_json()["type"], response.status_code) in {
        (kind.type, kind.status) for kind in allowed
    }
