"""Server with the real application, which records requests and can be scripted."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from threading import Event
from typing import Any

from werkzeug.serving import make_server

from dctnet.api.problems import MEDIA_TYPE, ProblemType, problem_document
from dctnet.app import create_app
from dctnet.config import Settings
from dctnet.lifecycle.warm_up import CartoonEngine
from dctnet.models.folder import ModelFolder
from tests.api.conftest import replica_of

Start = Callable[..., Any]


@dataclass(frozen=True)
class CannedResponse:
    """Response that replaces the application's."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def problem_response(problem_type: ProblemType, retry_after: int | None = None) -> CannedResponse:
    """Return the response of a problem type."""
    members = problem_document(
        problem_type, problem_type.status, "A detail.", "the-id-of-the-request"
    )
    headers = {"Content-Type": MEDIA_TYPE}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return CannedResponse(problem_type.status, json.dumps(members).encode(), headers)


class StandIn:
    """Server of the application with these settings."""

    def __init__(
        self, *models: ModelFolder, engine: CartoonEngine | None = None, **settings: object
    ) -> None:
        parsed = Settings.from_environment({name: str(value) for name, value in settings.items()})
        self._application = create_app(replica_of(parsed, *models, engine=engine))
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.reset()

    def reset(self) -> None:
        """Forget all requests and responses."""
        self.received: list[bytes] = []
        self.queries: list[str] = []
        self.keys: list[str | None] = []
        self.cartoons: list[bytes] = []
        self.responses: deque[CannedResponse] = deque()
        self.queue_position: int | None = None
        """Queue position of every ticket, if set."""
        self.position_requests = 0
        """Number of requests for a queue position."""
        self.response_gate: Event | None = None
        """Event that responses wait for, if set."""

    def _serve(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/v1/queue-tickets/"):
            self.position_requests += 1
            if self.queue_position is not None:
                start_response("200 OK", [("Content-Type", "application/json")])
                return [json.dumps({"position": self.queue_position}).encode()]
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != ("POST", "/v1/cartoons"):
            return self._application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        cartoons = self.cartoons  # A late response must not reach the next test.
        self.received.append(body)
        self.keys.append(environ.get("HTTP_X_API_KEY"))
        self.queries.append(environ["QUERY_STRING"])
        if self.response_gate is not None:
            self.response_gate.wait()
        if self.responses:
            response = self.responses.popleft()
            start_response(f"{response.status} -", list(response.headers.items()))
            return [response.body]
        environ["wsgi.input"] = BytesIO(body)
        cartoon = b"".join(self._application(environ, start_response))
        cartoons.append(cartoon)
        return [cartoon]

    @contextmanager
    def running(self) -> Iterator["StandIn"]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            if self.response_gate is not None:
                self.response_gate.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()
