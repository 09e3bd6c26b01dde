"""``POST /upload`` and ``GET /health``."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.api.conftest import MAX_BYTES
from tests.support.encoded_images import decoded, encoded, gradient

IMAGE = gradient(40, 24)


def post(client: FlaskClient, data: bytes) -> Any:
    return client.post("/upload", data={"file": (BytesIO(data), "me.jpg")})


def test_upload_returns_a_png_attachment(client):
    response = post(client, encoded(IMAGE))
    assert response.status_code == 200
    assert response.content_type == "image/png"
    assert response.headers["Content-Disposition"] == "attachment; filename=result.png"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Dctnet-Model"] == "tiny@v1"
    np.testing.assert_array_equal(decoded(response.data), 255 - IMAGE)


def test_upload_has_no_parameters(client):
    form = {"file": (BytesIO(encoded(IMAGE)), "me.jpg")}
    response = client.post("/upload?strength=0&size=16", data=form)
    np.testing.assert_array_equal(decoded(response.data), 255 - IMAGE)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 400, "Send the image"),
        (b"hello", 415, "not a JPEG, PNG, WebP or AVIF"),
        (encoded(IMAGE)[:200], 422, "damaged"),
        (bytes(MAX_BYTES + 1), 413, "at most"),
    ],
)
def test_upload_error_format(client, data, status, words):
    response = post(client, data)
    assert response.status_code == status
    assert response.content_type == "application/json"
    assert response.get_json().keys() == {"error"}
    assert words in response.get_json()["error"]
    assert response.headers["X-Request-Id"]


def test_upload_rejects_other_methods(client):
    response = client.get("/upload")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.get_json().keys() == {"error"}


def test_upload_and_health_while_the_model_loads(client, starting_client):
    response = post(starting_client, encoded(IMAGE))
    assert response.status_code == 503
    assert "still loading" in response.get_json()["error"]
    for server, status, word in (starting_client, 503, "starting"), (client, 200, "healthy"):
        response = server.get("/health")
        assert response.status_code == status
        assert response.get_json() == {"status": word, "model_loaded": status == 200}


def test_route_names_its_successor(client, starting_client):
    responses = [post(client, encoded(IMAGE)), post(client, b"x"), post(starting_client, b"x")]
    responses.append(client.get("/upload"))
    for response in responses:
        assert response.headers["Deprecation"] == "@1795996800"
        assert response.headers["Link"] == '<v1/cartoons>; rel="successor-version"'
    assert "Deprecation" not in client.get("/health").headers
    document = client.get("/openapi.json").get_json()
    assert document["paths"]["/upload"]["post"]["deprecated"] is True
