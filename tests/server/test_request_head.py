"""Request head: Host validation, size limit, paths and forwarded headers."""

import json

import pytest

from dctnet.config import MIB
from dctnet.server.head_limits import MAX_HEAD_BYTES
from tests.server.conftest import open_connection, open_connections, read_until_close
from tests.support.process import Server, cpu_time, memory, reset_peak_memory

HEADS = 370
EVIL = "evil.example"


def exchange(server: Server, head: str) -> tuple[int, bytes]:
    """Send a request; return the status and everything until the server closes."""
    with open_connection(server, head.encode("latin-1")) as client:
        data = read_until_close(client, ConnectionResetError)
    return int(data.split()[1]), data


def get(server: Server, path: str, *headers: str, host: str = "x") -> tuple[int, bytes]:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    return exchange(server, "\r\n".join(lines))


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /health HTTP/1.0\r\n", 200),
        ("GET /health HTTP/1.1\r\n", 400),
        ("GET http://x/health HTTP/1.1\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: x\r\nHost: x\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: x\r\nhOST: y\r\n", 400),
        ("GET /health HTTP/1.0\r\nHost: x\r\nHost: x\r\n", 400),
    ],
)
def test_host_header_is_required_by_http_version(server, head, status):
    actual, data = exchange(server, f"{head}Connection: close\r\n\r\n")
    assert actual == status
    if status == 400:
        require_problem(data)


def require_problem(data: bytes) -> None:
    head, _, content = data.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json\r\n" in head
    assert json.loads(content)["type"] == "urn:dctnet:problem:bad-request"


def test_host_header_is_required_on_later_requests(server):
    first, second = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "GET /health HTTP/1.1\r\n\r\n"
    status, data = exchange(server, first + second)
    assert status == 200
    assert data.count(b"HTTP/1.1 400 ") == 1


@pytest.mark.parametrize(
    "host",
    [
        "x",
        "x:8080",
        "x:",
        "127.0.0.1:1",
        "[::1]",
        "[::ffff:10.0.0.1]:443",
        "my_service.name-space.svc",
        "%e4.example",
        "a!$&'()*+,;=~",
    ],
)
def test_valid_host_header_is_accepted(server, host):
    assert get(server, "/health", host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":80",
        "x:http",
        "x:1:2",
        "x y",
        "x,y z",
        "x/y",
        "http://x",
        "user@x",
        "x?",
        "x#",
        "x\\y",
        "x%zz",
        "::1",
        "[::1",
        "[]",
        "[:::]",
        "[::1]x",
        "\xe4.example",
        "<b>",
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_malformed_host_header_is_rejected(server, host, version):
    head = f"GET /health HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    status, data = exchange(server, head)
    assert status == 400
    require_problem(data)


ROUTES = (
    "/",
    "/static/main.css",
    "/health",
    "/v1/styles",
    "/v1/styles/comic/sample",
    "/v1/styles/none/sample",
    "/v1/cartoons",
    "/v1/queue-tickets/none",
    "/upload",
    "/openapi.json",
    "/docs",
    "/none",
    "/v1//styles",
    "/v1/styles//comic/sample",
    "/static//main.css",
)
VARIANTS = (
    "{}",
    "{}/",
    "{}//",
    "/{}",
    "//{}",
    "/.{}",
    "//evil.example{}",
    "/%2f{}",
    "{}?a=//b",
    "{}/..",
    "http://evil.example{}",
    "http://evil.example/{}",
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_response_never_redirects_or_repeats_the_host(server, variant):
    for route in ROUTES:
        for method in "GET", "HEAD", "OPTIONS", "POST":
            target = variant.format(route)
            status, data = exchange(
                server,
                f"{method} {target} HTTP/1.1\r\nHost: {EVIL}:8443\r\nConnection: close\r\n"
                f"X-Forwarded-Host: {EVIL}\r\nContent-Length: 0\r\n\r\n",
            )
            assert not 300 <= status < 400, (method, target, status)
            assert status < 500, (method, target, status)
            head, _, _ = data.partition(b"\r\n\r\n")
            assert b"\r\nlocation:" not in head.lower()
            assert EVIL.encode() not in data.replace(target.encode(), b"")


@pytest.mark.parametrize(
    "path", ["//v1/styles", "/v1//styles", "/%2fv1/styles", "http://x//v1/styles", "/docs/", "//"]
)
def test_non_canonical_path_is_404(server, path):
    status, data = get(server, path, host=EVIL)
    assert status == 404
    assert b"urn:dctnet:problem:not-found" in data


@pytest.mark.parametrize(
    "header",
    [
        "SCRIPT_NAME: /v1",
        "SCRIPT_NAME: /elsewhere",
        "Script_Name: /v1",
        "PATH_INFO: /none",
        "Script-Name: /v1",
        "REMOTE_USER: root",
        "X-Forwarded-Prefix: /elsewhere",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off",
        "X-Forwarded-Protocol: ssl",
    ],
)
def test_forwarded_headers_change_neither_path_nor_scheme(server, header):
    """For every peer: Gunicorn trusts loopback by default."""
    assert get(server, "/v1/styles", header)[0] == 200
    assert get(server, "/none", header)[0] == 404


def test_environment_changes_neither_path_nor_trusted_proxies(start_timed):
    server = start_timed(0, SCRIPT_NAME="/v1", FORWARDED_ALLOW_IPS="*")
    assert get(server, "/health")[0] == 200
    assert get(server, "/v1/styles", "SCRIPT_NAME: /v1")[0] == 200
    assert get(server, "/styles")[0] == 404


def head(size: int) -> bytes:
    """A head of this size, in which no single header is too long."""
    start, end = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", b"\r\n"
    fields = b""
    while (left := size - len(start) - len(fields) - len(end)) > 0:
        length = left if left <= 4000 else min(4000, left - 100)
        fields += b"X-Padding: " + b"x" * (length - 13) + b"\r\n"
    return start + fields + end


@pytest.mark.promise("Load: a request head has at most 32 KiB, and unfinished heads cost little")
@pytest.mark.parametrize(
    ("size", "status"), [(MAX_HEAD_BYTES, b"200"), (MAX_HEAD_BYTES + 1, b"431")]
)
def test_request_head_limit_is_exact(server, size, status):
    data = head(size)
    assert len(data) == size
    with open_connection(server, data) as client:
        assert client.recv(65536).split()[1] == status


def test_body_after_a_long_head_is_read(server):
    body = b"x" * 10_000
    data = head(MAX_HEAD_BYTES - 100).replace(b"GET /health", b"POST /v1/cartoons")
    data = data[:-2] + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with open_connection(server, data) as client:
        assert client.recv(65536).split()[1] == b"415"


@pytest.mark.promise("Load: a request head has at most 32 KiB, and unfinished heads cost little")
def test_unfinished_heads_cost_bounded_memory_and_cpu(start_timed):
    server = start_timed(0, DCTNET_HEADER_TIMEOUT=4)
    worker = server.worker()
    memory_before, time_before = reset_peak_memory(worker), cpu_time(worker)
    with open_connections(server, HEADS, head(MAX_HEAD_BYTES)[:-2]) as clients:
        for client in clients:
            assert client.recv(4096).split()[1] == b"408"
    assert memory(worker, "VmHWM") - memory_before < 40 * MIB
    assert cpu_time(worker) - time_before < 1
