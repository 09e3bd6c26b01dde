"""How nginx treats replicas that reject, hang or are not there; stand-ins take their place."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from tests.single_host.conftest import Host
from tests.support.http_stub import Handler, Stub, serving
from tests.support.polling import until

READ_TIMEOUT_S = 6
"""How long nginx waits for an answer: 5 s more than the request timeout."""
REJECTION = b'{"type":"urn:dctnet:problem:overloaded"}\n'


class Replica(Handler):
    """Answers every request with one status, or never."""

    protocol_version = "HTTP/1.0"  # A connection an answer, so that it ends with its server.
    status: int | None

    def respond(self) -> None:
        self.body()
        if self.status is None:
            self.server.released.wait()
        else:
            headers = {"Content-Type": "application/problem+json", "Retry-After": "7"}
            self.send(self.status, REJECTION, headers)


@pytest.fixture(scope="module")
def lone_nginx(make_host: Callable[..., Host]) -> Iterator[Host]:
    """nginx without replicas."""
    host = make_host(DCTNET_REQUEST_TIMEOUT=READ_TIMEOUT_S - 5, DCTNET_WATCHDOG_TIMEOUT=0.5)
    with host.nginx_running():
        yield host


@contextmanager
def stand_ins(host: Host, *statuses: int | None) -> Iterator[list[Stub]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving(Replica, port=port, status=status))
            for port, status in zip(host.replica_ports, statuses, strict=False)
        ]


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_rejection_is_taken_to_the_other_replica_and_the_second_is_the_last_word(
    lone_nginx, status
):
    with stand_ins(lone_nginx, status, status) as replicas:
        for tries in (1, 2, 3):  # None of them counts as dead after it.
            answer = lone_nginx.post(b"image")
            assert answer.status_code == status
            assert answer.headers["Retry-After"] == "7"
            assert answer.content == REJECTION
            assert [len(replica.requests) for replica in replicas] == [tries, tries]
    access = lone_nginx.access(answer.headers["X-Request-Id"])
    assert access["upstream_status"] == f"{status}, {status}"


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
@pytest.mark.parametrize("status", [400, 413, 422, 500, 504])
def test_what_another_replica_would_answer_too_is_not_tried_again(lone_nginx, status):
    with stand_ins(lone_nginx, status, status) as replicas:
        assert lone_nginx.post(b"image").status_code == status
        assert sum(len(replica.requests) for replica in replicas) == 1


@pytest.mark.alone
@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
def test_a_replica_that_does_not_answer_in_time_is_not_tried_again(lone_nginx):
    with stand_ins(lone_nginx, None, None) as replicas:
        answer = lone_nginx.post(b"image")
        assert sum(len(replica.requests) for replica in replicas) == 1
    assert answer.status_code == 504
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    duration = lone_nginx.access(answer.headers["X-Request-Id"])["duration"]
    assert READ_TIMEOUT_S <= duration < READ_TIMEOUT_S + 1


def test_where_no_replica_listens_the_answer_is_a_problem_document(lone_nginx):
    answer = lone_nginx.post(b"image")
    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Gateway",
        "status": 502,
        "detail": "No replica could be reached.",
        "request_id": answer.headers["X-Request-Id"],
    }
    access = lone_nginx.access(answer.headers["X-Request-Id"])
    assert access["upstream_status"] == "502, 502"
    assert (access["method"], access["path"]) == ("POST", "/v1/cartoons")


def test_a_replica_learns_who_asked_and_no_client_can_forge_it(lone_nginx):
    forged = {
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "evil.example",
        "X-Real-IP": "10.0.0.1",
        "X-Request-Id": "mine",
        "Authorization": "Bearer key",
    }
    with stand_ins(lone_nginx, 200, 200) as replicas:
        lone_nginx.post(b"image", headers=forged)
        ((_, _, asked),) = replicas[0].requests + replicas[1].requests
    host = lone_nginx.url.removeprefix("https://")
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


def test_the_least_busy_replica_is_asked(lone_nginx):
    with stand_ins(lone_nginx, None, 200) as (hanging, quick), ThreadPoolExecutor() as pool:
        first = [pool.submit(lone_nginx.post, b"image") for _ in range(2)]
        until(lambda: bool(hanging.requests))
        for _ in range(5):
            assert lone_nginx.post(b"image").status_code == 200
        assert len(hanging.requests) == 1
        hanging.released.set()
        # The one that hung is an error by then, and was tried again.
        assert [answer.result().status_code for answer in first] == [200, 200]
        assert len(quick.requests) == 7
