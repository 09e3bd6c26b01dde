"""``GET /v1/styles``, samples, and the style of a request."""

from dataclasses import replace
from io import BytesIO
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from PIL import Image

from dctnet.config import Settings
from dctnet.lifecycle.warm_up import SAMPLE_SIDE
from dctnet.runtimes import selection
from tests.api.conftest import (
    IMAGE,
    MODEL,
    client_of,
    require_problem,
    starting_client_of,
)

INK = replace(MODEL, style="ink", model="example/ink", revision="", title="Ink and paper")


@pytest.fixture(scope="module")
def client(settings: Settings) -> FlaskClient:
    """Client of a server with two styles."""
    return client_of(settings, MODEL, INK)


def test_loaded_styles_are_listed_the_default_first(client):
    response = client.get("/v1/styles")
    assert response.get_json() == {
        "styles": [
            {
                "name": "tiny",
                "title": "Tiny",
                "default": True,
                "model": "example/tiny",
                "revision": "v1",
                "digest": "ab" * 32,
                "integrity": "unpinned",
                "runtime": selection.summary(MODEL),
                "sample": "styles/tiny/sample",
            },
            {
                "name": "ink",
                "title": "Ink and paper",
                "default": False,
                "model": "example/ink",
                "revision": "",
                "digest": "ab" * 32,
                "integrity": "unpinned",
                "runtime": selection.summary(MODEL),
                "sample": "styles/ink/sample",
            },
        ]
    }


@pytest.mark.parametrize(("style", "title"), [("handdrawn", "Hand-drawn"), ("comic", "Comic")])
def test_style_has_a_display_title(settings, style, title):
    client = client_of(settings, replace(MODEL, style=style))
    assert client.get("/v1/styles").get_json()["styles"][0]["title"] == title


def test_sample_is_a_small_portrait_in_the_style(client):
    for style in client.get("/v1/styles").get_json()["styles"]:
        response = client.get(urljoin("/v1/styles", style["sample"]))
        assert response.status_code == 200
        assert response.content_type == "image/webp"
        with Image.open(BytesIO(response.data)) as image:
            assert max(image.size) == SAMPLE_SIDE
        etag = response.headers["ETag"]
        again = client.get(urljoin("/v1/styles", style["sample"]), headers={"If-None-Match": etag})
        assert again.status_code == 304


def test_there_is_no_sample_before_the_warm_up(settings):
    starting = starting_client_of(settings)
    assert starting.get("/v1/styles").get_json()["styles"][0]["sample"] is None
    require_problem(starting.get("/v1/styles/tiny/sample"), 404, "not-found")


@pytest.mark.parametrize("style", ["anime", "..", "%2e%2e", "..%2fcomic"])
def test_other_samples_and_files_are_not_found(client, style):
    require_problem(client.get(f"/v1/styles/{style}/sample"), 404, "not-found")


@pytest.mark.parametrize("path", ["/v1/cartoons", "/upload"])
def test_request_names_a_style(client, path):
    for query, style in (("", "tiny"), ("?style=tiny", "tiny"), ("?style=ink", "ink")):
        response = client.post(path + query, data=IMAGE)
        assert response.status_code == 200
        assert response.headers["X-Dctnet-Style"] == style
        assert response.headers["X-Dctnet-Model"] == {"tiny": "tiny@v1", "ink": "ink"}[style]


def test_unknown_style_lists_the_loaded_ones(client):
    sentence = "The style 'anime' is not loaded; these are: tiny, ink."
    response = client.post("/v1/cartoons?style=anime", data=IMAGE)
    assert require_problem(response, 422, "unknown-style") == sentence
    response = client.post("/upload?style=anime", data=IMAGE)
    assert (response.status_code, response.get_json()) == (422, {"error": sentence})
