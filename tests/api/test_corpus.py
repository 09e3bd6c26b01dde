"""Corpus of hostile images over HTTP: a cartoon or the expected problem."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from dctnet.config import MIB, Settings
from tests.api.conftest import client_of
from tests.support.corpus import MAX_PIXELS, corpus
from tests.support.corpus_expectations import require_image, require_problem


@pytest.fixture(scope="module")
def lenient_client(settings: Settings) -> FlaskClient:
    """Client of a server whose limits accept every sample."""
    return client_of(replace(settings, max_body_bytes=10 * MIB, max_pixels=MAX_PIXELS))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sample", corpus(), ids=lambda sample: sample.name)
def test_corpus_image_gets_a_cartoon_or_the_expected_problem(lenient_client, sample):
    response = lenient_client.post("/v1/cartoons", data=sample.data)
    if response.status_code == 200:
        require_image(sample, response.data)
    else:
        assert response.content_type == "application/problem+json"
        require_problem(sample, response.status_code, response.get_json())
