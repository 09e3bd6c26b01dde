"""``GET /v1/queue-tickets/TICKET``: the place in the queue of an image that was sent with a ticket.

The client makes the ticket up, since there is no answer yet that could carry one. Whoever knows it
learns a number and nothing else. Each replica knows its own queue alone, so no place is no error.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Request, Response, jsonify

from dctnet.admission import Job
from dctnet.api.problems import BAD_PARAMETER, Problem

HEADER = "X-Dctnet-Queue-Ticket"

PATTERN = "[A-Za-z0-9_-]{16,64}"
"""Long enough that nobody guesses another one's."""


class QueueTickets:
    """The images that wait or are drawn, by their clients' names for them. Thread-safe."""

    def __init__(self) -> None:
        self._by_name: dict[str, Job[Any]] = {}

    @contextmanager
    def keep(self, name: str | None, ticket: Job[Any]) -> Iterator[None]:
        """Let a ticket be found by its name, if it has one; of the same name the last counts."""
        if name is not None:
            self._by_name[name] = ticket
        try:
            yield
        finally:
            if name is not None and self._by_name.get(name) is ticket:
                del self._by_name[name]

    def find(self, name: str) -> Job[Any] | None:
        """Return the ticket of a name, None where there is none."""
        return self._by_name.get(name)


def requested_ticket(request: Request) -> str | None:
    """Return the name that a client gave its ticket; raise Problem where it is none."""
    name = request.headers.get(HEADER)
    if name is not None and not re.fullmatch(PATTERN, name):
        raise Problem(
            BAD_PARAMETER,
            f"{HEADER} is {name!r}, but it must be 16 to 64 letters, digits, `_` and `-`.",
        )
    return name


def queue_ticket_view(tickets: QueueTickets) -> Callable[[str], Response]:
    """Make the view function."""

    def queue_ticket(ticket: str) -> Response:
        job = tickets.find(ticket)
        response = jsonify(position=job.position if job else None)
        response.headers["Cache-Control"] = "no-store"
        return response

    return queue_ticket
