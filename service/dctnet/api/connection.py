"""Client connection of a request, as the views use it."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from flask import Request

from dctnet.metrics import UnreadReason


class ReadTimeout(Exception):
    """The client sends headers or body more slowly than allowed."""


class UploadAborted(Exception):
    """The client closed the connection before its body was complete."""


@runtime_checkable
class Connection(Protocol):
    """Interface of the server's `wsgi.input`."""

    def begin(self, deadline: float, crowded: Callable[[], bool]) -> None:
        """Start reading the body, which must arrive at the minimum upload rate."""
        ...

    def is_open(self) -> bool:
        """Return whether the client is still connected."""
        ...

    def close_after_response(self) -> None:
        """Close the connection after this response."""
        ...

    def after_sending(self, callback: Callable[[UnreadReason | None], None]) -> None:
        """Call back once the response is sent, or with a reason if it was not read."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the whole body has been read."""
        ...


class _NullConnection:
    """Connection of requests without a socket, such as those of Flask's test client."""

    finished = True

    def begin(self, deadline: float, crowded: Callable[[], bool]) -> None:
        """Do nothing: the body is in memory."""

    def is_open(self) -> bool:
        """Return True: there is no client to disconnect."""
        return True

    def close_after_response(self) -> None:
        """Do nothing: there is no connection."""

    def after_sending(self, callback: Callable[[UnreadReason | None], None]) -> None:
        """Call back at once: there is nothing to send."""
        callback(None)


def connection(request: Request) -> Connection:
    """Return the connection of a request."""
    body = request.environ["wsgi.input"]
    return body if isinstance(body, Connection) else _NullConnection()
