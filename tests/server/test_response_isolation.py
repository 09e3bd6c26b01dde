"""HTTP responses of a running server, and their isolation from each other."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests

from dctnet.config import MIB
from tests.server.conftest import post
from tests.support.encoded_images import decoded, encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving

IMAGE = gradient(200, 300)
DATA = encoded(IMAGE)


@pytest.fixture(scope="module")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of frozen graphs, as upstream ships them."""
    with serving(tmp_path_factory.mktemp("server") / "log", DCTNET_STYLES=tiny) as server:
        yield server


def test_image_is_cartoonized(server):
    response = post(server, DATA)
    assert response.status_code == 200
    np.testing.assert_array_equal(decoded(response.content), 255 - IMAGE)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Dctnet-Model"] == "tiny@v1"
    assert response.headers["X-Dctnet-Faces"] == "0"
    assert response.headers["X-Request-Id"]
    assert response.headers["Server-Timing"].startswith("queue;dur=")


def test_face_is_cartoonized(server):
    response = post(server, encoded(np.full((400, 400, 3), 255, np.uint8)))
    assert response.headers["X-Dctnet-Faces"] == "1"
    assert (decoded(response.content) == (255, 0, 0)).all(axis=2).any()


@pytest.mark.promise("Load: concurrent requests get their own responses")
def test_concurrent_requests_get_their_own_responses(server):
    images = [np.roll(gradient(200 + 10 * i, 300), 7 * i, axis=1) for i in range(16)]

    with ThreadPoolExecutor(len(images)) as pool:
        responses = list(pool.map(lambda image: post(server, encoded(image)), images))
    for image, response in zip(images, responses, strict=True):
        assert response.status_code == 200
        np.testing.assert_array_equal(decoded(response.content), 255 - image)


@pytest.mark.promise("Input: limits hold exactly: at the limit passes, one past it does not")
@pytest.mark.parametrize("as_form", [False, True])
def test_body_limit_is_exact(server, as_form):
    def sent(data: bytes) -> requests.Response:
        body = {"files": {"file": ("me.png", data)}} if as_form else {"data": data}
        return requests.post(f"{server.url}/v1/cartoons", timeout=BOUND_S, **body)

    assert sent(DATA.ljust(24 * MIB, b"\0")).status_code == 200
    for size in 24 * MIB + 1, 40 * MIB:
        rejected = sent(DATA.ljust(size, b"\0"))
        assert rejected.status_code == 413
        assert rejected.headers["Content-Type"] == "application/problem+json"
        assert rejected.json()["type"] == "urn:dctnet:problem:too-many-bytes"


def test_chunked_body_is_read_completely(server):
    pieces = (DATA[i : i + 1000] for i in range(0, len(DATA), 1000))
    response = post(server, pieces)
    np.testing.assert_array_equal(decoded(response.content), 255 - IMAGE)
    endless = (bytes(MIB) for _ in range(25))
    assert post(server, endless).status_code == 413


def test_keep_alive_connection_serves_many_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=BOUND_S)
    sockets = set()
    for body in DATA, b"hello", b"", DATA:
        connection.request("POST", "/v1/cartoons", body)
        response = connection.getresponse()
        response.read()
        sockets.add(connection.sock)
    assert response.status == 200
    assert len(sockets) == 1
    connection.close()


def test_startup_log_records(server):
    server.until(lambda: len(server.messages()) >= 4)
    model, listening, runtime, ready, *rest = server.messages()
    assert model.startswith("the style tiny is tiny@v1, from /")
    assert listening == f"listening on {server.url}"
    assert runtime == (
        "tiny: tensorflow runs background and head: it is a frozen graph, as upstream ships it"
    )
    assert ready.startswith("ready; tiny@v1: loaded in ")
    assert rest == []
