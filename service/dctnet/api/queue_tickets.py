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
        self._jobs: dict[str, Job[Any]] = {}

    @contextmanager
    def register(self, ticket: str | None, job: Job[Any]) -> Iterator[None]:
        """Let a job be found by its ticket, if it has one; of the same ticket the last counts."""
        if ticket is not None:
            self._jobs[ticket] = job
        try:
            yield
        finally:
            if ticket is not None and self._jobs.get(ticket) is job:
                del self._jobs[ticket]

    def find(self, ticket: str) -> Job[Any] | None:
        """Return the job of a ticket, None where there is none."""
        return self._jobs.get(ticket)


def requested_ticket(request: Request) -> str | None:
    """Return the ticket that a client sent; raise Problem where it is none."""
    ticket = request.headers.get(HEADER)
    if ticket is not None and not re.fullmatch(PATTERN, ticket):
        raise Problem(
            BAD_PARAMETER,
            f"{HEADER} is {ticket!r}, but it must be 16 to 64 letters, digits, `_` and `-`.",
        )
    return ticket


def queue_ticket_view(tickets: QueueTickets) -> Callable[[str], Response]:
    """Make the view function."""

    def queue_ticket(ticket: str) -> Response:
        job = tickets.find(ticket)
        response = jsonify(position=job.position if job else None)
        response.headers["Cache-Control"] = "no-store"
        return response

    return queue_ticket
