"""CORS and the security headers of a running server, refusals from the headers alone included."""

import http.client
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server

Start = Callable[..., Server]
ORIGIN, KEY = "https://a.example", "the-key-of-the-cors-test"
PICTURE = encoded(gradient(40, 24))
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def sent(server: Server, head: str) -> tuple[int, dict[str, str]]:
    """Send the headers of a request, and return what comes although the body does not."""
    with socket.create_connection(("127.0.0.1", server.port), BOUND_S) as client:
        client.sendall(head.replace("\n", "\r\n").encode())
        response = http.client.HTTPResponse(client)
        response.begin()
        response.read()
        return response.status, dict(response.headers.items())


@pytest.mark.parametrize(
    ("key", "length", "status"), [("none", 1000, 401), (KEY, 2_000_000_000, 413)]
)
def test_a_page_may_read_why_its_request_was_refused(
    start_timed: Start, tmp_path: Path, key: str, length: int, status: int
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    server = start_timed(0, DCTNET_CORS_ORIGINS=ORIGIN, DCTNET_API_KEYS_FILE=keys)
    head = f"POST /v1/cartoons HTTP/1.1\nHost: x\nOrigin: {ORIGIN}\nContent-Length: {length}\n"
    refused, headers = sent(server, f"{head}X-Api-Key: {key}\n\n")
    assert refused == status
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Vary"] == "Origin"
    assert SECURITY.items() <= headers.items()


def test_a_page_may_read_when_to_come_again_and_ask_beforehand_while_all_is_taken(
    start_timed: Start,
) -> None:
    server = start_timed(
        5, DCTNET_CORS_ORIGINS=ORIGIN, DCTNET_SLOTS=1, DCTNET_QUEUE=1, DCTNET_UPLOADS=1
    )
    cartoons = f"{server.url}/v1/cartoons"

    def post() -> requests.Response:
        return requests.post(cartoons, PICTURE, headers={"Origin": ORIGIN}, timeout=BOUND_S)

    with ThreadPoolExecutor() as pool:
        drawn = [pool.submit(post)]
        server.until(lambda: server.metric("dctnet_slots_busy") == 1)
        drawn.append(pool.submit(post))
        server.until(lambda: server.metric("dctnet_queue_depth") == 1)
        refused = post()
        assert refused.status_code == 429
        assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
        exposed = refused.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"Retry-After", "X-Request-Id"} <= set(exposed) & set(refused.headers)
        beforehand = requests.options(
            cartoons,
            headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"},
            timeout=BOUND_S,
        )
        assert beforehand.status_code == 200
        assert beforehand.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert not any(future.done() for future in drawn)
        assert [future.result().status_code for future in drawn] == [200, 200]


def test_what_is_no_request_is_answered_with_the_security_headers_and_a_name(
    start_timed: Start,
) -> None:
    status, headers = sent(start_timed(0), "NONSENSE\n\n")
    assert status == 400
    assert SECURITY.items() <= headers.items()
    assert len(headers["X-Request-Id"]) == 32
