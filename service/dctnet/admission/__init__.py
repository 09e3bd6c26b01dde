"""Who is let in, who waits, who is rejected: permits, a fair queue, deadlines, slots."""

from dctnet.admission.admission import MIN_RETRY_AFTER_S, Admission
from dctnet.admission.errors import ClientGone, DeadlinePassed, Reason, Rejected, Stopped
from dctnet.admission.fair_queue import Client
from dctnet.admission.job import Ticket
from dctnet.admission.permits import Permit, Permits

__all__ = [
    "MIN_RETRY_AFTER_S",
    "Admission",
    "Client",
    "ClientGone",
    "DeadlinePassed",
    "Permit",
    "Permits",
    "Reason",
    "Rejected",
    "Stopped",
    "Ticket",
]
