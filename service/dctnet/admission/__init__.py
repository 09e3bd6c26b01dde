"""Admission control: upload permits, byte budget, fair queueing, quotas, deadlines and slots."""

from dctnet.admission.admission import MIN_RETRY_AFTER_S, Admission
from dctnet.admission.byte_budget import ByteBudget, Reservation
from dctnet.admission.errors import (
    AdmissionStopped,
    ClientDisconnected,
    DeadlineExceeded,
    Rejected,
    RejectionReason,
)
from dctnet.admission.fair_queue import Client
from dctnet.admission.job import Job
from dctnet.admission.permits import Permit, Permits

__all__ = [
    "MIN_RETRY_AFTER_S",
    "Admission",
    "AdmissionStopped",
    "ByteBudget",
    "Client",
    "ClientDisconnected",
    "DeadlineExceeded",
    "Job",
    "Permit",
    "Permits",
    "Rejected",
    "RejectionReason",
    "Reservation",
]
