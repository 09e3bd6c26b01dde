"""The connection that a request came on, as far as endpoints care for it."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from flask import Request

from dctnet.metrics import UnreadReason


class ReadTimeout(Exception):
    """The client takes longer to send than it may."""


class UploadAborted(Exception):
    """The client closed the connection in the middle of its body."""


@runtime_checkable
class Connection(Protocol):
    """What the server puts in the place of WSGI's input."""

    def begin(self, deadline: float, crowded: Callable[[], bool]) -> None:
        """Ask for the body, which must then come at the rate that is asked of it."""
        ...

    def is_open(self) -> bool:
        """Say whether the client is still there."""
        ...

    def close_after_response(self) -> None:
        """Let this answer be the last one on the connection."""
        ...

    def after_sending(self, callback: Callable[[UnreadReason | None], None]) -> None:
        """Call back once, when the response is sent or given up: then with the reason."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the whole body was read."""
        ...


class _NullConnection:
    """For requests that came on no connection, such as those of Flask's test client."""

    finished = True

    def begin(self, deadline: float, crowded: Callable[[], bool]) -> None:
        """There is nothing to ask for."""

    def is_open(self) -> bool:
        """There is nobody to leave."""
        return True

    def close_after_response(self) -> None:
        """There is nothing to close."""

    def after_sending(self, callback: Callable[[UnreadReason | None], None]) -> None:
        """Nothing has to be sent."""
        callback(None)


def connection(request: Request) -> Connection:
    """Return the connection of a request."""
    body = request.environ["wsgi.input"]
    return body if isinstance(body, Connection) else _NullConnection()
