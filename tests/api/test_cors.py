"""CORS: allowed origins, exposed headers and preflight requests."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dctnet.config import Settings
from tests.api.conftest import IMAGE, client_of, starting_client_of

ALLOWED, SECOND, OTHER = "https://a.example", "http://localhost:3000", "https://b.example"
PATHS = ["/", "/health", "/v1/styles", "/openapi.json", "/nothing"]


@pytest.fixture(scope="module")
def client_with_cors(settings: Settings) -> FlaskClient:
    return client_of(replace(settings, cors_origins=frozenset({ALLOWED, SECOND})))


def preflight(client: FlaskClient, path: str, origin: str) -> TestResponse:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key,content-type",
    }
    return client.options(path, headers=headers)


@pytest.mark.parametrize("path", PATHS)
def test_cors_is_off_by_default(client, path):
    for response in client.get(path, headers={"Origin": ALLOWED}), preflight(client, path, ALLOWED):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert "Vary" not in response.headers


@pytest.mark.parametrize("path", PATHS)
def test_allowed_origin_may_read_every_response(client_with_cors, path):
    for origin in ALLOWED, SECOND:
        response = client_with_cors.get(path, headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in response.vary
        assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    "origin",
    [OTHER, "null", "", f"{ALLOWED}.evil.example", f"{ALLOWED}:8443", "http://a.example"],
)
def test_other_origin_may_read_no_response(client_with_cors, origin):
    response = client_with_cors.post("/v1/cartoons", data=IMAGE, headers={"Origin": origin})
    assert response.status_code == 200  # The browser hides the response from the page.
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Origin" in response.vary
    preflight_response = preflight(client_with_cors, "/v1/cartoons", origin)
    assert not [name for name, _ in preflight_response.headers if name.startswith("Access-Control")]


def names(response: TestResponse, header: str) -> set[str]:
    return set(response.headers[f"Access-Control-{header}"].split(", "))


def test_exposed_headers(client_with_cors):
    response = client_with_cors.post("/v1/cartoons", data=IMAGE, headers={"Origin": ALLOWED})
    exposed = {"Retry-After", "Server-Timing", "X-Dctnet-Faces", "X-Dctnet-Model", "X-Request-Id"}
    assert names(response, "Expose-Headers") == exposed


@pytest.mark.parametrize("path", ["/v1/cartoons", "/upload", "/v1/styles"])
def test_preflight_response(client_with_cors, path):
    response = preflight(client_with_cors, path, ALLOWED)
    assert response.status_code == 200
    assert response.data == b""
    assert response.headers["Access-Control-Allow-Origin"] == ALLOWED
    assert response.headers["Access-Control-Max-Age"] == "7200"
    assert "POST" in names(response, "Allow-Methods")
    assert names(response, "Allow-Headers") == {
        *("Authorization", "Content-Type", "X-Api-Key", "X-Dctnet-Queue-Ticket"),
        *("X-Request-Id", "X-Request-Timeout"),
    }


def test_preflight_needs_no_key_and_no_slot(settings_with_keys):
    # The replica has no slots yet.
    loading = starting_client_of(replace(settings_with_keys, cors_origins=frozenset({ALLOWED})))
    assert preflight(loading, "/v1/cartoons", ALLOWED).status_code == 200
    rejected = loading.post("/v1/cartoons", data=IMAGE, headers={"Origin": ALLOWED})
    assert rejected.status_code == 401
    assert rejected.headers["Access-Control-Allow-Origin"] == ALLOWED


def test_any_origin_may_read_with_a_wildcard(settings):
    client = client_of(replace(settings, cors_origins=frozenset({"*"})))
    for origin in ALLOWED, OTHER, "null":
        response = client.get("/v1/styles", headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "Vary" not in response.headers
