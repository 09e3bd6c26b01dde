"""``GET /v1/styles``."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import MODEL, AppFactory


def test_the_loaded_style_is_described(client: FlaskClient) -> None:
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
def test_a_style_has_a_title_for_people(make_app: AppFactory, style: str, title: str) -> None:
    client = make_app(replace(MODEL, style=style)).test_client()
    assert client.get("/v1/styles").get_json()["styles"][0]["title"] == title
