"""How nginx treats replicas that refuse, hang or are not there; stand-ins take their place."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.single_host.conftest import Host, until

REFUSAL = b'{"type":"urn:dctnet:problem:full"}\n'


class StandIn:
    """Answers every request with one status, or never, and keeps the headers that it got."""

    def __init__(self, port: int, status: int | None) -> None:
        self.asked: list[dict[str, str]] = []
        self._let_go = threading.Event()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                stand_in.asked.append(dict(self.headers))
                if status is None:
                    stand_in._let_go.wait()
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/problem+json")
                self.send_header("Content-Length", str(len(REFUSAL)))
                self.send_header("Retry-After", "7")
                self.end_headers()
                self.wfile.write(REFUSAL)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def end(self) -> None:
        self._let_go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def lone_nginx(make_host: Callable[..., Host]) -> Iterator[Host]:
    """nginx without replicas; it waits 6 s for an answer, 5 more than the request timeout."""
    host = make_host(DCTNET_REQUEST_TIMEOUT=1, DCTNET_WATCHDOG_TIMEOUT=0.5)
    with host.nginx_running():
        yield host


@contextmanager
def stand_ins(host: Host, *statuses: int | None) -> Iterator[list[StandIn]]:
    with ExitStack() as stack:
        made = [StandIn(port, s) for port, s in zip(host.replica_ports, statuses, strict=False)]
        for stand_in in made:
            stack.callback(stand_in.end)
        yield made


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_refusal_is_taken_to_the_other_replica_and_the_second_is_the_last_word(
    lone_nginx: Host, status: int
) -> None:
    with stand_ins(lone_nginx, status, status) as replicas:
        for tries in (1, 2, 3):  # None of them counts as dead after it.
            answer = lone_nginx.post(b"picture")
            assert answer.status_code == status
            assert answer.headers["Retry-After"] == "7"
            assert answer.content == REFUSAL
            assert [len(replica.asked) for replica in replicas] == [tries, tries]
    access = lone_nginx.access(answer.headers["X-Request-Id"])
    assert access["upstream_status"] == f"{status}, {status}"


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
@pytest.mark.parametrize("status", [400, 413, 422, 500, 504])
def test_what_another_replica_would_answer_too_is_not_tried_again(
    lone_nginx: Host, status: int
) -> None:
    with stand_ins(lone_nginx, status, status) as replicas:
        assert lone_nginx.post(b"picture").status_code == status
        assert sum(len(replica.asked) for replica in replicas) == 1


@pytest.mark.promise("Single host: rejections and lost connections are retried once, slow ones not")
def test_a_replica_that_does_not_answer_in_time_is_not_tried_again(lone_nginx: Host) -> None:
    with stand_ins(lone_nginx, None, None) as replicas:
        answer = lone_nginx.post(b"picture")
        assert sum(len(replica.asked) for replica in replicas) == 1
    assert answer.status_code == 504
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert 6 <= lone_nginx.access(answer.headers["X-Request-Id"])["duration"] < 7


def test_where_no_replica_listens_the_answer_is_a_problem_document(lone_nginx: Host) -> None:
    answer = lone_nginx.post(b"picture")
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


def test_a_replica_learns_who_asked_and_no_client_can_forge_it(lone_nginx: Host) -> None:
    forged = {
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "evil.example",
        "X-Real-IP": "10.0.0.1",
        "X-Request-Id": "mine",
        "Authorization": "Bearer key",
    }
    with stand_ins(lone_nginx, 200, 200) as replicas:
        lone_nginx.post(b"picture", headers=forged)
        (asked,) = replicas[0].asked + replicas[1].asked
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


def test_the_least_busy_replica_is_asked(lone_nginx: Host) -> None:
    with stand_ins(lone_nginx, None, 200) as (hanging, quick), ThreadPoolExecutor() as pool:
        first = [pool.submit(lone_nginx.post, b"picture") for _ in range(2)]
        until(lambda: bool(hanging.asked))
        for _ in range(5):
            assert lone_nginx.post(b"picture").status_code == 200
        assert len(hanging.asked) == 1
        hanging.end()
        # The one that hung is an error by then, and was tried again.
        assert [answer.result().status_code for answer in first] == [200, 200]
        assert len(quick.asked) == 7
