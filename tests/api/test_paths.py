"""Path prefix: the same API at a path of a host that others share."""

from dataclasses import replace

import pytest

from dctnet.config import ROUTE_SEGMENTS
from tests.api.conftest import IMAGE, client_of
from tests.support.openapi_validation import openapi_document

PREFIX = "/team/cartoons"


@pytest.fixture
def validate_responses():
    """The OpenAPI document describes the paths without a prefix."""


@pytest.fixture(scope="module")
def at_prefix(settings):
    return client_of(replace(settings, path_prefix=PREFIX))


def test_route_segments_are_those_of_the_routes(client):
    rules = {rule.rule for rule in client.application.url_map.iter_rules()}
    assert {rule.split("/")[1] for rule in rules - {"/"}} == ROUTE_SEGMENTS


def test_every_path_is_served_with_and_without_the_prefix(at_prefix):
    gets = [
        path
        for path, methods in openapi_document(at_prefix.application)["paths"].items()
        if "get" in methods
    ]
    for path in ["/", "/docs", *(path.replace("{style}", "tiny") for path in gets)]:
        without, within = at_prefix.get(path), at_prefix.get(PREFIX + path)
        assert (without.status_code, without.data) == (within.status_code, within.data)
        assert without.status_code == 200 or "ticket" in path or "sample" in path
    assert at_prefix.post(f"{PREFIX}/v1/cartoons", data=IMAGE).status_code == 200
    assert at_prefix.post(f"{PREFIX}/upload", data=IMAGE).headers["Deprecation"]


@pytest.mark.parametrize("query", ["", "?a=%2F&b=%0D%0ALocation:x"])
def test_prefix_without_a_slash_redirects_to_the_page(at_prefix, query):
    response = at_prefix.get(PREFIX + query)
    assert response.status_code == 308
    assert response.headers["Location"] == "cartoons/" + query


def test_other_paths_do_not_have_the_prefix(at_prefix, client):
    assert client.get(f"{PREFIX}/health").status_code == 404
    for path in (f"{PREFIX}2/health", f"{PREFIX}//health", f"/x{PREFIX}/health", "/team/health"):
        assert at_prefix.get(path).status_code == 404
    assert at_prefix.get(f"{PREFIX}{PREFIX}/health").status_code == 404


def test_no_link_leaves_the_prefix(at_prefix):
    upload = at_prefix.post(f"{PREFIX}/upload", data=IMAGE)
    assert upload.headers["Link"].startswith("<v1/cartoons>")
    for path in ("/", "/docs"):
        page = at_prefix.get(PREFIX + path).text
        assert 'href="/' not in page
        assert 'src="/' not in page
