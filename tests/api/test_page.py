"""``GET /``: the page."""

import hashlib
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import MODEL, AppFactory


def test_the_page_names_the_model(client: FlaskClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    assert "tiny@v1" in response.text
    assert "demo model" not in response.text


def test_the_page_of_the_demo_model_says_how_to_get_another(make_app: AppFactory) -> None:
    page = make_app(replace(MODEL, style="demo")).test_client().get("/").text
    assert "demo model" in page
    assert "dctnet fetch anime" in page


def test_a_models_name_is_text_and_no_markup(make_app: AppFactory) -> None:
    page = make_app(replace(MODEL, style="<b>bold")).test_client().get("/").text
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


def test_everything_that_the_page_needs_is_served(client: FlaskClient) -> None:
    links = re.findall(r'(?:href|src)="(static/[^"]+)"', client.get("/").text)
    types = {link: client.get(f"/{link}").content_type.partition(";")[0] for link in links}
    assert sorted(types.values()) == ["image/svg+xml", "text/css", "text/javascript"]


def test_what_the_page_needs_is_kept_for_ever_under_a_name_of_its_content(
    client: FlaskClient,
) -> None:
    for link in re.findall(r'(?:href|src)="(static/[^"]+)"', client.get("/").text):
        response = client.get(f"/{link}")
        assert hashlib.sha256(response.data).hexdigest()[:16] == link.split(".")[1]
        assert response.cache_control.public
        assert response.cache_control.immutable
        assert response.cache_control.max_age == 365 * 24 * 60 * 60


@pytest.mark.parametrize("name", ["page.css", "page.0123456789abcdef.css", "..", "../app.py"])
def test_under_any_other_name_there_is_nothing(client: FlaskClient, name: str) -> None:
    response = client.get(f"/static/{name}")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"
    assert not response.cache_control.public


def test_the_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/").text
    for link in re.findall(r'(?:href|src)="(static/[^"]+)"', page):
        page += client.get(f"/{link}").text
    addresses = re.findall(r"(?:https?:)?//[a-z][^\s\"')]*", page)
    assert [a for a in addresses if "www.w3.org" not in a] == []
