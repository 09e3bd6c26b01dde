"""``GET /health``."""

from flask.testing import FlaskClient


def test_a_server_with_its_model_is_healthy(client: FlaskClient) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.get_json() == {"status": "healthy", "model_loaded": True}


def test_a_server_that_loads_its_model_is_not_yet(starting: FlaskClient) -> None:
    response = starting.get("/health")
    assert response.status_code == 503
    assert response.get_json() == {"status": "starting", "model_loaded": False}
