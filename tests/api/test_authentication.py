"""API-key authentication: accepted headers, and 401 for all others."""

import logging
from io import BytesIO

import pytest

from dctnet.api.static_files import static_paths
from tests.api.conftest import (
    IMAGE,
    KEYS,
    FailingEngine,
    client_of,
    require_problem,
    starting_client_of,
)

KEY, SECOND = KEYS
WRONG = "another-key-of-the-test"
SCRIPT = f"/static/{static_paths()['main.js']}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer   {KEY} "},
        {"X-Api-Key": KEY},
        {"X-Api-Key": SECOND},
        {"Authorization": "Basic dTpw", "X-Api-Key": KEY},  # Basic credentials for a proxy.
        {"Authorization": f"Bearer {KEY}", "X-Api-Key": WRONG},
    ],
)
def test_valid_key_is_accepted_by_both_cartoon_routes(client_with_keys, headers):
    assert client_with_keys.post("/v1/cartoons", data=IMAGE, headers=headers).status_code == 200
    form = {"file": (BytesIO(IMAGE), "me.png")}
    assert client_with_keys.post("/upload", data=form, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "Send an API key, as `Authorization: Bearer KEY` or `X-Api-Key: KEY`."),
        ({"Authorization": ""}, "Send an API key"),
        ({"Authorization": "Bearer"}, "Send an API key"),
        ({"Authorization": KEY}, "Send an API key"),
        ({"Authorization": f"Basic {KEY}"}, "Send an API key"),
        ({"X-Api-Key": " "}, "Send an API key"),
        ({"Authorization": f"Bearer {WRONG}"}, "The API key is not valid."),
        ({"Authorization": f"Bearer {KEY}, {KEY}"}, "The API key is not valid."),
        ({"X-Api-Key": WRONG}, "The API key is not valid."),
        ({"X-Api-Key": KEY[:-1]}, "The API key is not valid."),
        ({"X-Api-Key": f"Bearer {KEY}"}, "The API key is not valid."),
        ({"X-Api-Key": "schlüssel"}, "The API key is not valid."),
    ],
)
def test_missing_or_invalid_key_is_401(client_with_keys, headers, words):
    response = client_with_keys.post("/v1/cartoons", data=IMAGE, headers=headers)
    assert words in require_problem(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "Retry-After" not in response.headers
    assert response.get_json()["title"] == "API key required"


def test_upload_reports_401_in_its_own_format(client_with_keys):
    response = client_with_keys.post("/upload", data={"file": (BytesIO(IMAGE), "me.png")})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    sentence = "Send an API key, as `Authorization: Bearer KEY` or `X-Api-Key: KEY`."
    assert response.get_json() == {"error": sentence}


def test_authentication_precedes_validation(client_with_keys):
    for path in "/v1/cartoons?style=no-such-style", "/v1/cartoons?format=gif":
        assert client_with_keys.post(path, data=b"no image").status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/health", "/v1/styles", "/v1/queue-tickets/any", SCRIPT],
)
def test_other_routes_need_no_key(client_with_keys, path):
    assert client_with_keys.get(path).status_code == 200


def test_authentication_while_the_model_loads(settings_with_keys):
    client = starting_client_of(settings_with_keys)
    for headers, status in ({}, 401), ({"X-Api-Key": KEY}, 503):
        response = client.post("/v1/cartoons", data=IMAGE, headers=headers)
        assert response.status_code == status


def test_no_key_is_needed_without_a_key_file(client):
    for headers in {}, {"Authorization": f"Bearer {WRONG}"}:
        assert client.post("/v1/cartoons", data=IMAGE, headers=headers).status_code == 200


def test_key_is_in_no_error_log(settings_with_keys, caplog):
    client = client_of(settings_with_keys, engine=FailingEngine(lambda: {}["broken"]))
    with caplog.at_level(logging.DEBUG):
        failed = client.post("/v1/cartoons", data=IMAGE, headers={"X-Api-Key": KEY})
    assert failed.status_code == 500
    assert "broken" in caplog.text
    assert KEY not in caplog.text + failed.text
