"""Retries by nginx when replicas reject, hang or are missing, with stubs for replicas."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from dctnet.shared_limits import PROXY_READ_MARGIN_S
from tests.single_host.conftest import Host
from tests.support.http_stub import Handler, Stub, serving
from tests.support.polling import until

REQUEST_TIMEOUT_S = 1
READ_TIMEOUT_S = REQUEST_TIMEOUT_S + PROXY_READ_MARGIN_S
REJECTION = b'{"type":"urn:dctnet:problem:full"}\n'


class Replica(Handler):
    """Responds to every request with one status, or never."""

    protocol_version = "HTTP/1.0"  # So that no connection outlives its stub.
    status: int | None

    def respond(self) -> None:
        self.body()
        if self.status is None:
            self.server.released.wait()
        else:
            headers = {"Content-Type": "application/problem+json", "Retry-After": "7"}
            self.send(self.status, REJECTION, headers)


@pytest.fixture(scope="module")
def nginx_only(make_host: Callable[..., Host]) -> Iterator[Host]:
    """nginx without replicas."""
    host = make_host(DCTNET_REQUEST_TIMEOUT=REQUEST_TIMEOUT_S, DCTNET_WATCHDOG_TIMEOUT=0.5)
    with host.nginx_running():
        yield host


@contextmanager
def stub_replicas(host: Host, *statuses: int | None) -> Iterator[list[Stub]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving(Replica, port=port, status=status))
            for port, status in zip(host.replica_ports, statuses, strict=False)
        ]


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
@pytest.mark.parametrize("status", [429, 502, 503])
def test_rejection_is_retried_once_on_the_other_replica(nginx_only, status):
    with stub_replicas(nginx_only, status, status) as replicas:
        for tries in (1, 2, 3):  # A rejection does not take a replica out of the upstream.
            response = nginx_only.post(b"image")
            assert response.status_code == status
            assert response.headers["Retry-After"] == "7"
            assert response.content == REJECTION
            assert [len(replica.requests) for replica in replicas] == [tries, tries]
    access = nginx_only.access_log_line(response.headers["X-Request-Id"])
    assert access["upstream_status"] == f"{status}, {status}"


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
@pytest.mark.parametrize("status", [400, 413, 422, 500, 504])
def test_other_statuses_are_not_retried(nginx_only, status):
    with stub_replicas(nginx_only, status, status) as replicas:
        assert nginx_only.post(b"image").status_code == status
        assert sum(len(replica.requests) for replica in replicas) == 1


@pytest.mark.alone
@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
def test_timeout_is_not_retried(nginx_only):
    with stub_replicas(nginx_only, None, None) as replicas:
        response = nginx_only.post(b"image")
        assert sum(len(replica.requests) for replica in replicas) == 1
    assert response.status_code == 504
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["X-Request-Id"]
    duration = nginx_only.access_log_line(response.headers["X-Request-Id"])["duration"]
    assert READ_TIMEOUT_S <= duration < READ_TIMEOUT_S + 1


def test_response_without_replicas_is_a_problem_document(nginx_only):
    response = nginx_only.post(b"image")
    assert response.status_code == 502
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Bad Gateway",
        "status": 502,
        "detail": "No replica could be reached.",
        "request_id": response.headers["X-Request-Id"],
    }
    access = nginx_only.access_log_line(response.headers["X-Request-Id"])
    assert access["upstream_status"] == "502, 502"
    assert (access["method"], access["path"]) == ("POST", "/v1/cartoons")


def test_forwarded_headers_cannot_be_forged(nginx_only):
    forged = {
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "evil.example",
        "X-Real-IP": "10.0.0.1",
        "X-Request-Id": "mine",
        "Authorization": "Bearer key",
    }
    with stub_replicas(nginx_only, 200, 200) as replicas:
        nginx_only.post(b"image", headers=forged)
        ((_, _, asked),) = replicas[0].requests + replicas[1].requests
    host = nginx_only.url.removeprefix("https://")
    expected = {
        "Host": "localhost",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": host,
        "X-Real-IP": "127.0.0.1",
        "X-Request-Id": "mine",
        "Authorization": "Bearer key",
    }
    assert {name: asked.get(name) for name in expected} == expected
    assert "Connection" not in asked


def test_least_busy_replica_gets_the_request(nginx_only):
    with stub_replicas(nginx_only, None, 200) as (hanging, quick), ThreadPoolExecutor() as pool:
        first = [pool.submit(nginx_only.post, b"image") for _ in range(2)]
        until(lambda: bool(hanging.requests))
        for _ in range(5):
            assert nginx_only.post(b"image").status_code == 200
        assert len(hanging.requests) == 1
        hanging.released.set()
        # The hanging stub has closed its connection, so nginx has retried that request.
        assert [response.result().status_code for response in first] == [200, 200]
        assert len(quick.requests) == 7
