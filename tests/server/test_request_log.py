"""One JSON line a request, and the metrics that go with it."""

from collections.abc import Callable

import pytest
import requests

from dctnet.metrics import STAGES
from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server

Start = Callable[..., Server]
PICTURE = encoded(gradient(40, 24))
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.promise("Privacy: a request is one log line, whose members are all known")
def test_a_cartoon_is_one_line_with_all_that_is_known_of_it(start_timed: Start) -> None:
    server = start_timed(0)
    answer = requests.post(
        f"{server.url}/v1/cartoons?format=webp",
        data=PICTURE,
        headers={"X-Request-Id": "mine", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
        timeout=BOUND_S,
    )
    (line,) = server.logged(1)
    assert line.pop("time").endswith("+00:00")  # type: ignore[attr-defined]
    assert 0 < line.pop("duration") < BOUND_S  # type: ignore[operator]
    stages = line.pop("stages")
    assert stages.keys() <= set(STAGES)  # type: ignore[attr-defined]
    assert {"queue", "decode", "background", "encode"} <= stages.keys()  # type: ignore[attr-defined]
    assert line == {
        "request_id": "mine",
        "trace_id": TRACE,
        "method": "POST",
        "route": "/v1/cartoons",
        "status": 200,
        "bytes_in": len(PICTURE),
        "bytes_out": len(answer.content),
        "pixels": 40 * 24,
        "faces": 0,
    }


def test_routes_and_methods_that_clients_make_up_add_no_series(start_timed: Start) -> None:
    server = start_timed(0)
    for path in "/nothing", "/v1/cartoons/x", "/%00":
        requests.request("BREW", server.url + path, timeout=BOUND_S)
    assert {line["route"] for line in server.logged(3)} == {"none"}
    server.until(
        lambda: (
            server.metric("dctnet_requests_total", route="none", method="other", code="404") == 3
        )
    )


def test_probes_write_no_line_but_are_counted(start_timed: Start) -> None:
    server = start_timed(0)
    for path in "/livez", "/readyz?verbose", "/metrics", "/nothing":
        server.probe(path)
    requests.get(f"{server.url}/health", timeout=BOUND_S)
    requests.get(f"{server.url}/v1/tickets/any", timeout=BOUND_S)
    requests.get(f"{server.url}/v1/styles", timeout=BOUND_S)
    (line,) = server.logged(1)
    assert line["route"] == "/v1/styles"
    assert server.metric("dctnet_requests_total", route="/health", code="200") >= 1


def test_a_refusal_says_why(start_timed: Start) -> None:
    server = start_timed(0.5, DCTNET_MAX_WORKING_SIDE=256)
    large = encoded(gradient(256, 256))
    requests.post(
        f"{server.url}/upload",
        files={"file": large},
        headers={"X-Request-Timeout": "0.1"},
        timeout=BOUND_S,
    )
    (line,) = server.logged(1)
    assert (line["status"], line["shed"], line["route"]) == (429, "late", "/upload")


def test_what_is_no_request_is_answered_and_counted(start_timed: Start) -> None:
    import socket

    server = start_timed(0)
    for sent, status in (
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    ):
        with socket.create_connection(("127.0.0.1", server.port), BOUND_S) as client:
            client.sendall(sent)
            answer = client.makefile("rb").read()
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"application/problem+json" in answer
        assert server.metric("dctnet_requests_total", route="none", code=str(status)) == 1
