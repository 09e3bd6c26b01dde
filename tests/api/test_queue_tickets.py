"""``GET /v1/queue-tickets/TICKET``: the queue position of an image sent with a ticket."""

from concurrent.futures import Future
from io import BytesIO

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from dctnet.config import Settings
from tests.api.conftest import IMAGE, Held, client_of, rejected
from tests.support.admission import in_background
from tests.support.polling import BOUND_S, until

FIRST, SECOND, THIRD = "the-first-ticket", "the-second-ticket", "the-third-ticket"


@pytest.fixture
def app(held: Held) -> Flask:
    return client_of(Settings.from_environment({"DCTNET_SLOTS": "1"}), engine=held).application


def send(app: Flask, ticket: str, path: str = "/v1/cartoons") -> Future[TestResponse]:
    headers = {"X-Dctnet-Queue-Ticket": ticket}
    form = {"file": (BytesIO(IMAGE), "portrait.png")}
    data = form if path == "/upload" else IMAGE
    return in_background(lambda: app.test_client().post(path, data=data, headers=headers))


def place(app: Flask, ticket: str) -> int | None:
    response = app.test_client().get(f"/v1/queue-tickets/{ticket}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    body = response.get_json()
    assert list(body) == ["position"]
    found: int | None = body["position"]
    return found


@pytest.mark.promise("Page: a waiting client sees its place in the queue, as an API client does")
def test_an_image_s_place_is_told_until_it_is_answered(app, held):
    sent = []
    for ahead, ticket in enumerate((FIRST, SECOND, THIRD)):
        sent.append(send(app, ticket))
        until(lambda ticket=ticket, ahead=ahead: place(app, ticket) == ahead)
    held.draw(3)
    assert [future.result(BOUND_S).status_code for future in sent] == [200] * 3
    assert [place(app, ticket) for ticket in (FIRST, SECOND, THIRD)] == [None] * 3


def test_the_older_way_takes_tickets_too(app):
    send(app, FIRST, "/upload")
    until(lambda: place(app, FIRST) == 0)


def test_of_two_images_with_one_ticket_the_last_one_counts(app, held):
    first = send(app, FIRST)
    until(lambda: place(app, FIRST) == 0)
    second = send(app, FIRST)
    until(lambda: place(app, FIRST) == 1)
    held.draw(2)
    assert first.result(BOUND_S).status_code == second.result(BOUND_S).status_code == 200
    assert place(app, FIRST) is None


def test_a_rejected_image_has_no_place(client):
    rejected = client.post("/v1/cartoons", data=b"hello", headers={"X-Dctnet-Queue-Ticket": FIRST})
    assert rejected.status_code == 415
    assert client.get(f"/v1/queue-tickets/{FIRST}").get_json() == {"position": None}


@pytest.mark.parametrize("ticket", ["a" * 16, "azAZ09_-" * 8])
def test_a_ticket_is_16_to_64_letters(client, ticket):
    headers = {"X-Dctnet-Queue-Ticket": ticket}
    assert client.post("/v1/cartoons", data=IMAGE, headers=headers).status_code == 200


@pytest.mark.parametrize("ticket", ["", "a" * 15, "a" * 65, "a" * 15 + "/", "a" * 15 + "\u00e9"])
def test_another_ticket_is_rejected(client, ticket):
    response = client.post("/v1/cartoons", data=IMAGE, headers={"X-Dctnet-Queue-Ticket": ticket})
    assert "16 to 64 letters" in rejected(response, 422, "bad-parameter")
