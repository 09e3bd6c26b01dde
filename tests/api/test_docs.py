"""``GET /docs``: the OpenAPI document as a page."""

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from dctnet.api.docs import render_markup
from dctnet.api.problems import PROBLEM_TYPES
from tests.api.conftest import MODEL, client_of
from tests.support.openapi_validation import openapi_document


@pytest.fixture(scope="module")
def page(client: FlaskClient) -> str:
    response = client.get("/docs")
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    return response.text


def test_docs_have_every_operation_parameter_and_status(client, page):
    document = openapi_document(client.application)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            section = page.partition(f'<section id="{operation["operationId"]}">')[2]
            section = section.partition("</section>")[0]
            assert f"<code>{method.upper()} {path}</code>" in section
            assert re.findall(r"<td>(\d{3})</td>", section) == list(operation["responses"])
            rows = re.findall(r"<td><code>([\w-]+)</code> \((?:query|header|path)\)", section)
            assert len(rows) == len(operation["parameters"]) > 0


def test_docs_have_every_problem_type(page):
    table = page.partition('<section id="problems">')[2].partition("</section>")[0]
    assert re.findall(r"<td><code>(urn:[\w:-]+)</code></td>", table) == [
        problem_type.uri for problem_type in PROBLEM_TYPES
    ]


def test_docs_have_no_script_and_no_other_host(client, page):
    assert not re.search(r"<script|<iframe|<object|style=| on\w+=|javascript:", page, re.IGNORECASE)
    assert not re.search(r"""(?:src|href)=["'](?:\w+:)?//""", page)
    links = re.findall(r'href="(static/[^"]+)"', page)
    assert len(links) == 3
    for link in links:
        response = client.get(f"/{link}")
        assert response.status_code == 200
        assert not re.search(r"@import|url\(", response.text)


def test_docs_links_resolve(client, page):
    names = re.findall(r' id="([^"]+)"', page)
    assert len(set(names)) == len(names)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(names)
    assert 'href="openapi.json"' in page


def test_docs_escape_values(settings):
    page = client_of(settings, replace(MODEL, style="<b>bold")).get("/docs").text
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page
    assert render_markup("a `<i>` & b\n\nc") == "<p>a <code>&lt;i&gt;</code> &amp; b</p><p>c</p>"
