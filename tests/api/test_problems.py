"""Errors of every endpoint are problem documents (RFC 9457)."""

import logging
import re

import numpy as np
import pytest

from dctnet.admission import AdmissionStopped
from dctnet.api.problems import PROBLEM_TYPES, error_response
from tests.api.conftest import IMAGE, Broken, client_of, rejected
from tests.support.repo import ROOT


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/cartoons/", "/v1", "/static/nothing.css", "/%00"]
)
def test_an_unknown_path_is_said(client, path):
    rejected(client.get(path), 404, "not-found")


@pytest.mark.parametrize("path", ["/", "/health", "/v1/styles", "/v1/cartoons"])
def test_another_method_is_said_with_the_right_ones(client, path):
    response = client.delete(path)
    rejected(response, 405, "method-not-allowed")
    right = {"POST"} if path == "/v1/cartoons" else {"GET", "HEAD"}
    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", *right}


def fail() -> None:
    raise RuntimeError("the secret of the house")


def test_a_defect_is_told_to_the_log_but_not_to_the_client_and_gives_its_slot_back(
    settings, caplog
):
    client = client_of(settings, engine=Broken(fail))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):  # One more than there are slots.
            response = client.post("/v1/cartoons", data=IMAGE, headers={"X-Request-Id": "abc"})
            assert rejected(response, 500, "internal-error").endswith("under abc.")
            assert "secret" not in response.text
    assert "request abc failed" in caplog.text
    assert "the secret of the house" in caplog.text


@pytest.mark.promise("Input: out of memory is 503, and the next small image is served")
def test_an_engine_out_of_memory_asks_the_client_to_try_again(settings):
    client = client_of(settings, engine=Broken(lambda: np.empty(2**62, np.uint8)))  # As NumPy.
    response = client.post("/v1/cartoons", data=IMAGE)
    rejected(response, 503, "out-of-memory")
    assert response.headers["Retry-After"] == "5"


def test_while_the_model_loads_the_client_is_asked_to_wait(starting):
    response = starting.post("/v1/cartoons", data=IMAGE)
    rejected(response, 503, "starting")
    assert response.headers["Retry-After"] == "5"


def test_who_waited_in_vain_for_a_server_that_ends_is_told_when_to_try_again(client):
    with client.application.test_request_context("/v1/cartoons", method="POST"):
        client.application.preprocess_request()
        response = error_response(AdmissionStopped())
    assert response.status_code == 503
    assert response.get_json()["type"] == "urn:dctnet:problem:draining"
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize("offered", ["abc", "A.b_c-1", "x" * 128])
def test_a_sane_request_id_is_kept(client, offered):
    response = client.get("/health", headers={"X-Request-Id": offered})
    assert response.headers["X-Request-Id"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 129, "a b", 'a"b', "ü"])
def test_another_request_id_is_replaced(client, offered):
    answers = [client.get("/health", headers={"X-Request-Id": offered}) for _ in range(2)]
    first, second = (answer.headers["X-Request-Id"] for answer in answers)
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


def test_the_documentation_lists_each_kind_of_problem():
    rows = re.findall(
        r"^\| `urn:dctnet:problem:(\S+)` \| (\d+) \|",
        (ROOT / "docs/api.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(problem_type.slug, str(problem_type.status)) for problem_type in PROBLEM_TYPES]
