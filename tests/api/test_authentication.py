"""API keys, where they are asked for: who is answered, and who with 401."""

import logging
from io import BytesIO

import pytest

from dctnet.api.static_files import static_paths
from tests.api.conftest import IMAGE, KEYS, Broken, client_of, rejected, starting_with

KEY, SECOND = KEYS
WRONG = "another-key-of-the-test"
SCRIPT = f"/static/{static_paths()['page.js']}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer   {KEY} "},
        {"X-Api-Key": KEY},
        {"X-Api-Key": SECOND},
        {"Authorization": "Basic dTpw", "X-Api-Key": KEY},  # The first is a proxy's.
        {"Authorization": f"Bearer {KEY}", "X-Api-Key": WRONG},
    ],
)
def test_a_key_opens_both_ways_to_a_cartoon(locked, headers):
    assert locked.post("/v1/cartoons", data=IMAGE, headers=headers).status_code == 200
    form = {"file": (BytesIO(IMAGE), "me.png")}
    assert locked.post("/upload", data=form, headers=headers).status_code == 200


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
def test_without_a_valid_key_the_answer_is_a_problem(locked, headers, words):
    response = locked.post("/v1/cartoons", data=IMAGE, headers=headers)
    assert words in rejected(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "Retry-After" not in response.headers
    assert response.get_json()["title"] == "An API key is needed"


def test_the_older_way_says_it_in_its_own_words(locked):
    response = locked.post("/upload", data={"file": (BytesIO(IMAGE), "me.png")})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    sentence = "Send an API key, as `Authorization: Bearer KEY` or `X-Api-Key: KEY`."
    assert response.get_json() == {"error": sentence}


def test_a_stranger_learns_nothing_more(locked):
    for path in "/v1/cartoons?style=no-such-style", "/v1/cartoons?format=gif":
        assert locked.post(path, data=b"no image").status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/health", "/v1/styles", "/v1/queue-tickets/any", SCRIPT],
)
def test_the_other_addresses_ask_for_no_key(locked, path):
    assert locked.get(path).status_code == 200


def test_a_key_is_asked_for_while_the_model_loads(with_keys):
    client = starting_with(with_keys)
    for headers, status in ({}, 401), ({"X-Api-Key": KEY}, 503):
        response = client.post("/v1/cartoons", data=IMAGE, headers=headers)
        assert response.status_code == status


def test_without_a_file_of_keys_none_is_asked_for(client):
    for headers in {}, {"Authorization": f"Bearer {WRONG}"}:
        assert client.post("/v1/cartoons", data=IMAGE, headers=headers).status_code == 200


def test_a_key_is_in_no_report_of_a_defect(with_keys, caplog):
    client = client_of(with_keys, engine=Broken(lambda: {}["broken"]))
    with caplog.at_level(logging.DEBUG):
        failed = client.post("/v1/cartoons", data=IMAGE, headers={"X-Api-Key": KEY})
    assert failed.status_code == 500
    assert "broken" in caplog.text
    assert KEY not in caplog.text + failed.text
