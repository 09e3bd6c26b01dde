"""What a running server answers over HTTP."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from dctnet.config import MIB
from dctnet.http.assets import addresses
from tests.support.encoded import decoded, encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving

PICTURE = gradient(200, 300)


@pytest.fixture(scope="module")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of frozen graphs, as upstream ships them."""
    with serving(tmp_path_factory.mktemp("server") / "log", DCTNET_MODEL=tiny) as server:
        yield server


def post(server: Server, path: str, **arguments: Any) -> requests.Response:
    return requests.post(server.url + path, timeout=BOUND_S, **arguments)


def test_a_picture_is_drawn(server):
    response = post(server, "/v1/cartoons", data=encoded(PICTURE))
    assert response.status_code == 200
    np.testing.assert_array_equal(decoded(response.content), 255 - PICTURE)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Dctnet-Model"] == "tiny@v1"
    assert response.headers["X-Dctnet-Faces"] == "0"
    assert response.headers["X-Request-Id"]
    assert response.headers["Server-Timing"].startswith("queue;dur=")


def test_a_face_is_drawn(server):
    white = encoded(np.full((400, 400, 3), 255, np.uint8))
    response = post(server, "/v1/cartoons", data=white)
    assert response.headers["X-Dctnet-Faces"] == "1"
    assert (decoded(response.content) == (255, 0, 0)).all(axis=2).any()


@pytest.mark.promise("Load: concurrent requests get their own responses")
def test_requests_at_the_same_time_get_their_own_answers(server):
    pictures = [np.roll(gradient(200 + 10 * i, 300), 7 * i, axis=1) for i in range(16)]

    def draw(picture: Any) -> Any:
        response = post(server, "/v1/cartoons", data=encoded(picture))
        assert response.status_code == 200
        return decoded(response.content)

    with ThreadPoolExecutor(len(pictures)) as pool:
        for picture, cartoon in zip(pictures, pool.map(draw, pictures), strict=True):
            np.testing.assert_array_equal(cartoon, 255 - picture)


@pytest.mark.promise("Input: limits hold exactly: at the limit passes, one past it does not")
@pytest.mark.parametrize("as_form", [False, True])
def test_ten_mebibytes_pass_and_one_byte_more_does_not(server, as_form):
    def sent(data: bytes) -> requests.Response:
        if as_form:
            return post(server, "/v1/cartoons", files={"file": ("me.png", data)})
        return post(server, "/v1/cartoons", data=data)

    picture = encoded(PICTURE)
    assert sent(picture + bytes(10 * MIB - len(picture))).status_code == 200
    for size in 10 * MIB + 1, 40 * MIB:
        refused = sent(picture + bytes(size - len(picture)))
        assert refused.status_code == 413
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["type"] == "urn:dctnet:problem:too-many-bytes"


def test_a_body_without_a_length_is_read_to_its_end(server):
    data = encoded(PICTURE)
    pieces = (data[i : i + 1000] for i in range(0, len(data), 1000))
    response = post(server, "/v1/cartoons", data=pieces)
    np.testing.assert_array_equal(decoded(response.content), 255 - PICTURE)
    endless = (bytes(MIB) for _ in range(11))
    assert post(server, "/v1/cartoons", data=endless).status_code == 413


def test_a_connection_serves_one_request_after_another(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=BOUND_S)
    sockets = set()
    for body in encoded(PICTURE), b"hello", b"", encoded(PICTURE):
        connection.request("POST", "/v1/cartoons", body)
        response = connection.getresponse()
        response.read()
        sockets.add(connection.sock)
    assert response.status == 200
    assert len(sockets) == 1
    connection.close()


def test_the_page_and_the_other_addresses_answer(server):
    assets = [f"/static/{address}" for address in addresses().values()]
    for path in "/", "/v1/styles", "/health", *assets:
        assert requests.get(server.url + path, timeout=BOUND_S).status_code == 200
    assert requests.get(server.url + "/nothing", timeout=BOUND_S).status_code == 404


def test_the_server_says_where_it_is_what_it_serves_and_nothing_else(server):
    server.until(lambda: len(server.messages()) >= 4)
    model, listening, runtime, ready, *rest = server.messages()
    assert model.startswith("dctnet: the model is tiny@v1, from /")
    assert listening == f"dctnet: listening on {server.url}"
    assert runtime == (
        "dctnet: tensorflow draws background and head: it is a frozen graph, as upstream ships it"
    )
    assert ready.startswith("dctnet: ready; the model tiny@v1 was loaded in ")
    assert rest == []
