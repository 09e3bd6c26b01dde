"""``GET /v1/queue-tickets/TICKET``: queue position of an image."""

from concurrent.futures import Future
from io import BytesIO

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from dctnet.config import Settings
from tests.api.conftest import IMAGE, BlockingEngine, client_of, require_problem
from tests.support.admission import in_background
from tests.support.polling import BOUND_S, until

FIRST, SECOND, THIRD = "the-first-ticket", "the-second-ticket", "the-third-ticket"


@pytest.fixture
def app(blocking_engine: BlockingEngine) -> Flask:
    return client_of(
        Settings.from_environment({"DCTNET_SLOTS": "1"}), engine=blocking_engine
    ).application


def send(app: Flask, ticket: str, path: str = "/v1/cartoons") -> Future[TestResponse]:
    headers = {"X-Dctnet-Queue-Ticket": ticket}
    form = {"file": (BytesIO(IMAGE), "portrait.png")}
    data = form if path == "/upload" else IMAGE
    return in_background(lambda: app.test_client().post(path, data=data, headers=headers))


def queue_position(app: Flask, ticket: str) -> int | None:
    response = app.test_client().get(f"/v1/queue-tickets/{ticket}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    body = response.get_json()
    assert list(body) == ["position"]
    position: int | None = body["position"]
    return position


@pytest.mark.promise("Web UI: shows the queue position, which API clients can query too")
def test_queue_position_until_the_response(app, blocking_engine):
    sent = []
    for ahead, ticket in enumerate((FIRST, SECOND, THIRD)):
        sent.append(send(app, ticket))
        until(lambda ticket=ticket, ahead=ahead: queue_position(app, ticket) == ahead)
    blocking_engine.release(3)
    assert [future.result(BOUND_S).status_code for future in sent] == [200] * 3
    assert [queue_position(app, ticket) for ticket in (FIRST, SECOND, THIRD)] == [None] * 3


def test_upload_accepts_queue_tickets(app):
    send(app, FIRST, "/upload")
    until(lambda: queue_position(app, FIRST) == 0)


def test_last_image_wins_for_a_repeated_ticket(app, blocking_engine):
    first = send(app, FIRST)
    until(lambda: queue_position(app, FIRST) == 0)
    second = send(app, FIRST)
    until(lambda: queue_position(app, FIRST) == 1)
    blocking_engine.release(2)
    assert first.result(BOUND_S).status_code == second.result(BOUND_S).status_code == 200
    assert queue_position(app, FIRST) is None


def test_rejected_image_has_no_queue_position(client):
    rejected = client.post("/v1/cartoons", data=b"hello", headers={"X-Dctnet-Queue-Ticket": FIRST})
    assert rejected.status_code == 415
    assert client.get(f"/v1/queue-tickets/{FIRST}").get_json() == {"position": None}


@pytest.mark.parametrize("ticket", ["a" * 16, "azAZ09_-" * 8])
def test_ticket_length_limits(client, ticket):
    headers = {"X-Dctnet-Queue-Ticket": ticket}
    assert client.post("/v1/cartoons", data=IMAGE, headers=headers).status_code == 200


@pytest.mark.parametrize("ticket", ["", "a" * 15, "a" * 65, "a" * 15 + "/", "a" * 15 + "\u00e9"])
def test_invalid_ticket_is_rejected(client, ticket):
    response = client.post("/v1/cartoons", data=IMAGE, headers={"X-Dctnet-Queue-Ticket": ticket})
    assert "16 to 64 letters" in require_problem(response, 422, "bad-parameter")
