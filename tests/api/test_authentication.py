"""API keys, where they are asked for: who is answered, and who with 401."""

import logging
import re
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from dctnet.app import create_app
from dctnet.config import Settings
from dctnet.http.assets import addresses
from dctnet.replica import Replica
from tests.api.conftest import MODEL, Broken, refused, replica_of, with_keys
from tests.support.encoded import encoded, gradient

KEY, SECOND = "a-key==of-the=test/", "k" * 256
WRONG = "another-key-of-the-test"
PICTURE = encoded(gradient(40, 24))
SCRIPT = f"/static/{addresses()['page.js']}"


@pytest.fixture(scope="module")
def locked(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("keys")
    return create_app(replica_of(with_keys(settings, folder, KEY, SECOND))).test_client()


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
    assert locked.post("/v1/cartoons", data=PICTURE, headers=headers).status_code == 200
    form = {"file": (BytesIO(PICTURE), "me.png")}
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
    response = locked.post("/v1/cartoons", data=PICTURE, headers=headers)
    assert words in refused(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "Retry-After" not in response.headers
    assert response.get_json()["title"] == "An API key is needed"


def test_the_older_way_says_it_in_its_own_words(locked):
    response = locked.post("/upload", data={"file": (BytesIO(PICTURE), "me.png")})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    sentence = "Send an API key, as `Authorization: Bearer KEY` or `X-Api-Key: KEY`."
    assert response.get_json() == {"error": sentence}


def test_a_stranger_learns_nothing_more(locked):
    for path in "/v1/cartoons?style=no-such-style", "/v1/cartoons?format=gif":
        assert locked.post(path, data=b"no picture").status_code == 401


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/health", "/v1/styles", "/v1/tickets/any", SCRIPT]
)
def test_the_other_addresses_ask_for_no_key(locked, path):
    assert locked.get(path).status_code == 200


def test_a_key_is_asked_for_while_the_model_loads(settings, tmp_path):
    client = create_app(Replica(with_keys(settings, tmp_path, KEY), MODEL)).test_client()
    for headers, status in ({}, 401), ({"X-Api-Key": KEY}, 503):
        response = client.post("/v1/cartoons", data=PICTURE, headers=headers)
        assert response.status_code == status


def test_without_a_file_of_keys_none_is_asked_for(client):
    for headers in {}, {"Authorization": f"Bearer {WRONG}"}:
        assert client.post("/v1/cartoons", data=PICTURE, headers=headers).status_code == 200


def test_a_key_is_in_no_report_of_a_defect(settings, tmp_path, caplog):
    engine = Broken(lambda: {}["broken"])
    client = create_app(replica_of(with_keys(settings, tmp_path, KEY), engine=engine)).test_client()
    with caplog.at_level(logging.DEBUG):
        failed = client.post("/v1/cartoons", data=PICTURE, headers={"X-Api-Key": KEY})
    assert failed.status_code == 500
    assert "broken" in caplog.text
    assert KEY not in caplog.text + failed.text


def test_the_page_has_a_field_for_the_key_which_is_not_shown_at_first(client):
    page = client.get("/").text
    assert re.search(r'<form id="unlock" hidden>', page)
    assert re.search(r'<input id="key" type="password" autocomplete="off"', page)
