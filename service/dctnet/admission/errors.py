"""Why a request gets no answer of its own."""

from enum import StrEnum


class RejectionReason(StrEnum):
    """Why a request is rejected; the label of the metric ``dctnet_rejected_total``."""

    STARTING = "starting"
    """The model is not ready yet."""
    DRAINING = "draining"
    """The process ends before the request could be finished."""
    QUEUE_FULL = "queue_full"
    """No place is left in the queue."""
    QUOTA = "quota"
    """The client has its share of the places; the others are left for other clients."""
    DEADLINE = "deadline"
    """The request's turn is predicted to come after its deadline."""
    UPLOAD_LIMIT = "upload_limit"
    """As many bodies are read as may be read at once, and none ended soon enough."""


class Rejected(Exception):
    """The request is not taken; it cost nothing, so it may be sent again elsewhere at once."""

    def __init__(self, reason: RejectionReason, retry_after: float) -> None:
        """``retry_after`` is in how many seconds this replica is likely to take it."""
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class DeadlineExceeded(Exception):
    """The answer did not come before the request's deadline."""


class ClientDisconnected(Exception):
    """The client closed its connection before its answer was ready."""


class AdmissionStopped(Exception):
    """The slots were stopped while the request waited."""
