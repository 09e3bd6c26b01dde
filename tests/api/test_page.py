"""``GET /``: the page."""

import re
from dataclasses import replace

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


def test_the_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/").text
    for link in re.findall(r'(?:href|src)="(static/[^"]+)"', page):
        page += client.get(f"/{link}").text
    addresses = re.findall(r"(?:https?:)?//[a-z][^\s\"')]*", page)
    assert [a for a in addresses if "www.w3.org" not in a] == []
