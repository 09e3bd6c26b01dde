"""Errors of every route are problem documents (RFC 9457)."""

import logging
import re
from io import BytesIO

import numpy as np
import pytest
from flask import g

from dctnet.admission import AdmissionStopped
from dctnet.api.problems import PROBLEM_TYPES, error_response
from tests.api.conftest import IMAGE, FailingEngine, client_of, require_problem
from tests.support.repo import ROOT


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/cartoons/", "/v1", "/static/nothing.css", "/%00"]
)
def test_unknown_path_is_404(client, path):
    require_problem(client.get(path), 404, "not-found")


@pytest.mark.parametrize("path", ["/", "/health", "/v1/styles", "/v1/cartoons"])
def test_other_method_is_405_with_allow(client, path):
    response = client.delete(path)
    require_problem(response, 405, "method-not-allowed")
    right = {"POST"} if path == "/v1/cartoons" else {"GET", "HEAD"}
    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", *right}


def fail() -> None:
    raise RuntimeError("a secret detail")


def test_internal_error_is_logged_hidden_from_the_client_and_releases_its_slot(settings, caplog):
    client = client_of(settings, engine=FailingEngine(fail))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):  # One more than the slots.
            response = client.post("/v1/cartoons", data=IMAGE, headers={"X-Request-Id": "abc"})
            assert require_problem(response, 500, "internal-error").endswith("under abc.")
            assert "secret" not in response.text
    assert "request abc failed" in caplog.text
    assert "a secret detail" in caplog.text


@pytest.mark.promise("Input: out of memory is 503, and the next small image is served")
def test_engine_out_of_memory_is_503_with_retry_after(settings):
    client = client_of(
        settings, engine=FailingEngine(lambda: np.empty(2**62, np.uint8))
    )  # As NumPy.
    response = client.post("/v1/cartoons", data=IMAGE)
    require_problem(response, 503, "out-of-memory")
    assert response.get_json()["reason"] == "out_of_memory"
    assert response.headers["Retry-After"] == "5"


def test_starting_is_503_with_retry_after(starting_client):
    response = starting_client.post("/v1/cartoons", data=IMAGE)
    require_problem(response, 503, "starting")
    assert response.get_json()["reason"] == "starting"
    assert response.headers["Retry-After"] == "5"


def test_queued_request_at_shutdown_is_503_with_retry_after(client):
    with client.application.test_request_context("/v1/cartoons", method="POST"):
        client.application.preprocess_request()
        response = error_response(AdmissionStopped())
        assert g.record == {"rejected": "draining"}  # Of which the metric counts the reason.
    assert response.status_code == 503
    assert response.get_json()["type"] == "urn:dctnet:problem:draining"
    assert (response.get_json()["reason"], response.get_json()["retry_after"]) == ("draining", 1)
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["/v1/cartoons", "/upload"])
def test_deadline_that_can_never_be_met_is_422_without_retry_after(client, path):
    headers = {"X-Request-Timeout": "1e-9"}
    response = client.post(path, data={"file": (BytesIO(IMAGE), "me.png")}, headers=headers)
    assert response.status_code == 422
    assert "Retry-After" not in response.headers
    if path == "/v1/cartoons":
        detail = require_problem(response, 422, "deadline-too-short")
        assert "s on an idle server, and the request's timeout is 1e-09 s." in detail


@pytest.mark.parametrize("client_id", ["abc", "A.b_c-1", "x" * 128])
def test_valid_request_id_is_kept(client, client_id):
    response = client.get("/health", headers={"X-Request-Id": client_id})
    assert response.headers["X-Request-Id"] == client_id


@pytest.mark.parametrize("client_id", ["", "x" * 129, "a b", 'a"b', "ü"])
def test_invalid_request_id_is_replaced(client, client_id):
    responses = [client.get("/health", headers={"X-Request-Id": client_id}) for _ in range(2)]
    first, second = (response.headers["X-Request-Id"] for response in responses)
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


def test_documentation_lists_every_problem_type():
    rows = re.findall(
        r"^\| `urn:dctnet:problem:(\S+)` \| (\d+) \|",
        (ROOT / "docs/api.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(problem_type.slug, str(problem_type.status)) for problem_type in PROBLEM_TYPES]
