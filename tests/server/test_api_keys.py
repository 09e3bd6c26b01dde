"""API keys and CORS: rejection by headers, key rotation, keys in no output."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dctnet.admission import RejectionReason
from tests.server.conftest import (
    IMAGE,
    SECURITY,
    TIMED,
    open_connection,
    post,
    read_response,
    read_until_close,
)
from tests.support.mounted_secret import MountedSecret
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving

ORIGIN = "https://a.example"
OLD, NEW, WRONG = "the-old-key-of-the-test", "the-new-key-of-the-test", "a-wrong-key-of-the-test"


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    return MountedSecret(tmp_path / "secret", "keys", f"{OLD}\n")


@pytest.fixture(scope="module")
def server_with_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that requires the old key and allows one CORS origin."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "keys").write_text(OLD)
    settings = {"DCTNET_API_KEYS_FILE": folder / "keys", "DCTNET_CORS_ORIGINS": ORIGIN}
    with serving(folder / "log", TIMED, TIMED_SECONDS=0, **settings) as server:
        yield server


def post_as(server: Server, key: str, data: bytes = IMAGE) -> requests.Response:
    return post(server, data, **{"X-Api-Key": key})


def rejected(server: Server) -> float:
    return server.metric("dctnet_requests_total", route="/v1/cartoons", method="POST", code="401")


@pytest.mark.parametrize("more", ["Expect: 100-continue\r\n", ""], ids=["continue", "plain"])
@pytest.mark.parametrize(
    ("key", "length", "status", "problem"),
    [
        (WRONG, "Content-Length: 9000000", 401, "unauthorized"),
        (WRONG, "Transfer-Encoding: chunked", 401, "unauthorized"),
        (OLD, "Content-Length: 2000000000", 413, "too-many-bytes"),
    ],
)
def test_rejected_body_is_not_read_and_cors_headers_are_set(
    server_with_keys, more, key, length, status, problem
):
    before = rejected(server_with_keys)
    head = (
        f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\nX-Api-Key: {key}\r\n"
        f"{length}\r\n{more}\r\n"
    )
    with open_connection(
        server_with_keys, head.encode()
    ) as client:  # Without any byte of the body.
        response, content = read_response(client)
        assert client.recv(1) == b""
    assert response.status == status
    assert response.headers["WWW-Authenticate"] == ("Bearer" if status == 401 else None)
    assert response.headers["Connection"] == "close"
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Vary"] == "Origin"
    assert SECURITY.items() <= dict(response.headers).items()
    assert json.loads(content)["type"] == f"urn:dctnet:problem:{problem}"
    server_with_keys.until(lambda: rejected(server_with_keys) == before + (status == 401))
    for reason in RejectionReason:
        assert server_with_keys.metric("dctnet_rejected_total", reason=reason) == 0


def test_unauthorized_client_that_keeps_sending_reads_the_401(server_with_keys):
    response = post_as(server_with_keys, WRONG, bytes(5_000_000))
    assert response.status_code == 401
    request = response.headers["X-Request-Id"]
    (line,) = server_with_keys.until(
        lambda: [r for r in server_with_keys.requests() if r["request_id"] == request]
    )
    assert "bytes_in" not in line
    assert "rejected" not in line


def test_rejection_without_body_keeps_the_connection_open(server_with_keys):
    client = http.client.HTTPConnection("127.0.0.1", server_with_keys.port, timeout=BOUND_S)
    sockets = set()
    for key, body, status in ((WRONG, b"", 401), (OLD, IMAGE, 200)):
        client.request("POST", "/v1/cartoons", body, {"X-Api-Key": key})
        response = client.getresponse()
        response.read()
        assert response.status == status
        sockets.add(client.sock)
    assert len(sockets) == 1
    client.close()


def count_messages(server: Server, sentence: str) -> int:
    """Count the log messages that begin with a sentence."""
    return sum(line.startswith(sentence) for line in server.messages())


@pytest.mark.promise("Privacy: API keys are in no log, metric or response, and can be rotated")
def test_key_rotation_without_restart(start_timed, secret):
    server = start_timed(0, DCTNET_API_KEYS_FILE=secret.path)
    assert (post_as(server, OLD).status_code, post_as(server, NEW).status_code) == (200, 401)
    secret.change(f"{OLD}\n{NEW}\n")
    server.until(lambda: post_as(server, NEW).status_code == 200)
    assert post_as(server, OLD).status_code == 200
    secret.change(f"{NEW}\n")
    server.until(lambda: post_as(server, OLD).status_code == 401)
    assert post_as(server, NEW).status_code == 200
    server.until(lambda: count_messages(server, "the API keys were reloaded") == 2)
    secret.change("")
    stay = "the API keys are not reloaded: "
    server.until(lambda: post_as(server, NEW).ok and count_messages(server, stay) == 1)
    assert server.messages()[-1].startswith(stay)


@pytest.mark.promise("Privacy: API keys are in no log, metric or response, and can be rotated")
def test_api_keys_are_in_no_log_metric_or_response(start_timed, secret):
    server = start_timed(0, DCTNET_API_KEYS_FILE=secret.path)
    seen = ""
    for key, status in ((OLD, 200), (WRONG, 401)):
        for headers in {"X-Api-Key": key}, {"Authorization": f"Bearer {key}"}:
            for path in "/v1/cartoons", "/upload", "/nothing":
                response = requests.post(
                    server.url + path, files={"file": IMAGE}, headers=headers, timeout=BOUND_S
                )
                assert response.status_code == (404 if path == "/nothing" else status)
                seen += f"{response.headers} {response.content!r}"
    for head in f"X-Api-Key: {OLD}\0", f"X-Api-Key : {OLD}", f"Authorization: Bearer\r\n{OLD}":
        request = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n"
        with open_connection(server, request.encode()) as client:
            response = read_until_close(client)
        assert response.startswith(b"HTTP/1.1 400 ")
        seen += repr(response)
    lines = server.logged(12)
    assert {line["status"] for line in lines} == {200, 401, 404}
    seen += json.dumps(lines) + "".join(server.lines())
    for path in "/metrics", "/readyz?verbose":
        seen += requests.get(server.management + path, timeout=BOUND_S).text
    assert 'code="401"' in seen
    for key in OLD, WRONG:
        assert key not in seen
