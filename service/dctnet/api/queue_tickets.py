"""``GET /v1/queue-tickets/TICKET``: queue position of an image.

The client chooses the ticket, because it needs one before the response. A ticket reveals a number
only. A replica knows its own queue only, so an unknown ticket is not an error.
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
"""Long enough that other clients cannot guess it."""


class QueueTickets:
    """Jobs in the queue or in a slot, by queue ticket. Thread-safe."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job[Any]] = {}

    @contextmanager
    def register(self, ticket: str | None, job: Job[Any]) -> Iterator[None]:
        """Register a job under its ticket, if it has one; the last job of a ticket wins."""
        if ticket is not None:
            self._jobs[ticket] = job
        try:
            yield
        finally:
            if ticket is not None and self._jobs.get(ticket) is job:
                del self._jobs[ticket]

    def find(self, ticket: str) -> Job[Any] | None:
        """Return the job of a ticket, None if there is none."""
        return self._jobs.get(ticket)


def requested_ticket(request: Request) -> str | None:
    """Return the queue ticket of a request, if any; raise Problem if it is invalid."""
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
