"""Access log: one record per request, and its metrics."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from dctnet.metrics import STAGES
from tests.server.conftest import IMAGE, SECURITY, TIMED, open_connection, post, read_response
from tests.server.timed_server import FAILING
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving

Logged = Callable[[int], list[dict[str, Any]]]
TRACE = "0af7651916cd43dd8448eb211c80319c"
TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
"""RFC 3339, in UTC, with milliseconds."""
LARGEST = 256
"""Longest working side, in pixels: an image of this size takes SECONDS."""
SECONDS = 0.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"TIMED_SECONDS": SECONDS, "DCTNET_MAX_WORKING_SIDE": LARGEST}
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, TIMED, **settings) as server:
        yield server


@pytest.fixture
def logged(server: Server) -> Logged:
    """Waits for this number of new records, and returns all new ones."""
    before = len(server.requests())
    return lambda number: server.logged(before + number)[before:]


@pytest.mark.promise("Privacy: a request is one log line, whose members are all known")
def test_cartoon_is_one_access_log_record(server, logged):
    headers = {"X-Request-Id": "mine", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    response = post(server, query="?format=webp", **headers)
    (line,) = logged(1)
    assert re.fullmatch(TIMESTAMP, line.pop("ts"))
    assert SECONDS < line.pop("duration") < BOUND_S
    stages = line.pop("stages")
    assert stages.keys() <= set(STAGES)
    assert {"queue", "decode", "background", "encode"} <= stages.keys()
    assert line == {
        "level": "info",
        "logger": "dctnet.access",
        "message": "POST /v1/cartoons 200",
        "request_id": "mine",
        "trace_id": TRACE,
        "method": "POST",
        "route": "/v1/cartoons",
        "status": 200,
        "bytes_in": len(IMAGE),
        "bytes_out": len(response.content),
        "pixels": 40 * 24,
        "style": "timed",
        "faces": 0,
    }


def test_unknown_routes_and_methods_add_no_series(server, logged):
    for path in "/nothing", "/v1/cartoons/x", "/%00":
        requests.request("BREW", server.url + path, timeout=BOUND_S)
    assert {line["route"] for line in logged(3)} == {"none"}
    series = {"route": "none", "method": "other", "code": "404"}
    server.until(lambda: server.metric("dctnet_requests_total", **series) == 3)


def test_polled_routes_are_counted_but_not_logged(server, logged):
    for path in "/livez", "/readyz?verbose", "/metrics", "/nothing":
        server.probe(path)
    requests.get(f"{server.url}/health", timeout=BOUND_S)
    requests.get(f"{server.url}/v1/queue-tickets/any", timeout=BOUND_S)
    requests.get(f"{server.url}/v1/styles", timeout=BOUND_S)
    (line,) = logged(1)
    assert line["route"] == "/v1/styles"
    assert server.metric("dctnet_requests_total", route="/health", code="200") >= 1


def test_openmetrics_has_the_trace_id_as_exemplar(server, logged):
    post(server, query="?format=webp", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    logged(1)
    labels = r'\{le="\d+\.\d+",outcome="ok",route="/v1/cartoons"\}'
    series = rf"^dctnet_request_duration_seconds_bucket{labels} \S+"
    exemplar = rf' # {{trace_id="{TRACE}"}} (\S+) \S+$'

    def exemplars(accept: str) -> list[str]:
        text = requests.get(
            f"{server.management}/metrics", headers={"Accept": accept}, timeout=BOUND_S
        ).text
        assert re.search(series, text, re.MULTILINE)
        return re.findall(series + exemplar, text, re.MULTILINE)

    (seconds,) = exemplars("application/openmetrics-text; version=1.0.0")
    assert float(seconds) > SECONDS
    assert exemplars("text/plain") == []


def test_disconnected_client_is_not_an_error(server, logged):
    with open_connection(
        server, b"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    ):
        pass
    (line,) = logged(1)
    assert line["status"] == 499
    counted = {"route": "/v1/cartoons", "outcome": "client"}
    assert server.metric("dctnet_request_duration_seconds_count", **counted) >= 1


def test_deadline_that_can_never_be_met_is_not_a_rejection(server, logged):
    requests.post(
        f"{server.url}/upload",
        files={"file": encoded(gradient(LARGEST, LARGEST))},
        headers={"X-Request-Timeout": f"{SECONDS / 5}"},
        timeout=BOUND_S,
    )
    (line,) = logged(1)
    assert (line["status"], line.get("rejected"), line["route"]) == (422, None, "/upload")


def test_malformed_request_gets_request_id_and_security_headers_and_is_counted(server):
    for sent, status in (
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    ):
        with open_connection(server, sent) as client:
            response, _ = read_response(client)
            assert client.recv(1) == b""
        assert response.status == status
        assert response.headers["Content-Type"] == "application/problem+json"
        assert SECURITY.items() <= dict(response.headers).items()
        assert len(response.headers["X-Request-Id"]) == 32
        series = {"route": "none", "code": str(status)}
        server.until(lambda: server.metric("dctnet_requests_total", **series) == 1)  # noqa: B023


def test_failure_is_one_record_with_request_id_trace_id_and_exception(server):
    headers = {"X-Request-Id": "failing", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    assert post(server, encoded(gradient(24, FAILING)), **headers).status_code == 500
    (record,) = server.until(
        lambda: [record for record in server.records() if "exception" in record]
    )
    assert (record["level"], record["logger"]) == ("error", "dctnet")
    assert (record["request_id"], record["trace_id"]) == ("failing", TRACE)
    assert record["exception"].startswith("Traceback (most recent call last):\n")
    assert record["exception"].endswith("\nArithmeticError")


def test_polled_routes_are_logged_at_the_level_debug(start_timed):
    server = start_timed(0, DCTNET_LOG_LEVEL="debug")
    requests.get(f"{server.url}/health", timeout=BOUND_S)
    # Before, it was polled until the replica was ready.
    record = server.until(
        lambda: next((each for each in server.requests() if each["status"] == 200), None)
    )
    assert (record["level"], record["route"]) == ("debug", "/health")


def test_text_format_and_log_level(start_timed):
    server = start_timed(0, DCTNET_LOG_FORMAT="text", DCTNET_LOG_LEVEL="warning", DCTNET_SLOTS=1)
    assert (
        post(server, encoded(gradient(24, FAILING)), **{"X-Request-Id": "mine"}).status_code == 500
    )
    server.until(lambda: server.lines()[-1:] == ["ArithmeticError"])
    assert re.fullmatch(
        TIMESTAMP + r" ERROR dctnet: request mine failed request_id=mine", server.lines()[0]
    )
