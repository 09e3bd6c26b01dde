"""``GET /v1/styles`` and ``GET /v1/styles/STYLE/sample``."""

from dataclasses import replace
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from dctnet.config import Settings
from dctnet.models.folder import DEMO, GOLDEN_OUTPUT
from tests.api.conftest import MODEL, client_of, require_problem, starting_client_of

SAMPLE = (DEMO / GOLDEN_OUTPUT).read_bytes()


def test_loaded_style_is_listed(client):
    response = client.get("/v1/styles")
    assert response.get_json() == {
        "styles": [
            {
                "name": "tiny",
                "title": "Tiny",
                "model": "example/tiny",
                "revision": "v1",
                "digest": "ab" * 32,
                "integrity": "unpinned",
                "sample": None,
            }
        ]
    }


@pytest.mark.parametrize(("style", "title"), [("handdrawn", "Hand-drawn"), ("demo", "Demo")])
def test_style_has_a_display_title(settings, style, title):
    client = client_of(settings, replace(MODEL, style=style))
    assert client.get("/v1/styles").get_json()["styles"][0]["title"] == title


@pytest.fixture
def loading(settings: Settings) -> FlaskClient:
    """Client of a server that is loading a model with a golden pair."""
    return starting_client_of(settings, replace(MODEL, sample=SAMPLE))


def test_style_sample_is_the_golden_output(loading):
    sample = loading.get("/v1/styles").get_json()["styles"][0]["sample"]
    response = loading.get(urljoin("/v1/styles", sample))
    assert response.status_code == 200
    assert response.content_type == "image/png"
    assert response.data == SAMPLE
    etag = response.headers["ETag"]
    response = loading.get("/v1/styles/tiny/sample", headers={"If-None-Match": etag})
    assert response.status_code == 304


def test_model_without_golden_output_has_no_sample(settings):
    client = client_of(settings, replace(MODEL, sample=None))
    assert client.get("/v1/styles").get_json()["styles"][0]["sample"] is None
    assert client.get("/v1/styles/tiny/sample").status_code == 404


@pytest.mark.parametrize("style", ["anime", "..", "%2e%2e", "..%2fdemo"])
def test_other_samples_and_files_are_not_found(loading, style):
    require_problem(loading.get(f"/v1/styles/{style}/sample"), 404, "not-found")
