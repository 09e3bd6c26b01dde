"""CORS and the security headers of a running server, refusals from the headers alone included."""

import http.client
import socket
from collections.abc import Iterator

import pytest

from tests.server.conftest import TIMED
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving

ORIGIN, KEY = "https://a.example", "the-key-of-the-cors-test"
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


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for a key and lets another site's page read its answers."""
    folder = tmp_path_factory.mktemp("cors")
    (folder / "keys").write_text(KEY)
    settings = {"DCTNET_CORS_ORIGINS": ORIGIN, "DCTNET_API_KEYS_FILE": folder / "keys"}
    with serving(folder / "log", TIMED, TIMED_SECONDS=0, **settings) as server:
        yield server


@pytest.mark.parametrize(
    ("key", "length", "status"), [("none", 1000, 401), (KEY, 2_000_000_000, 413)]
)
def test_a_page_may_read_why_its_request_was_refused(strict, key, length, status):
    head = f"POST /v1/cartoons HTTP/1.1\nHost: x\nOrigin: {ORIGIN}\nContent-Length: {length}\n"
    refused, headers = sent(strict, f"{head}X-Api-Key: {key}\n\n")
    assert refused == status
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Vary"] == "Origin"
    assert SECURITY.items() <= headers.items()


def test_what_is_no_request_is_answered_with_the_security_headers_and_a_name(strict):
    status, headers = sent(strict, "NONSENSE\n\n")
    assert status == 400
    assert SECURITY.items() <= headers.items()
    assert len(headers["X-Request-Id"]) == 32
