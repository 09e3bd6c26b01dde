"""Errors of admission control: rejections, missed deadlines, disconnects."""

from enum import StrEnum


class RejectionReason(StrEnum):
    """Reason of a rejection; a label of the metric ``dctnet_rejected_total``."""

    STARTING = "starting"
    """The model is not ready yet."""
    DRAINING = "draining"
    """The process exits, or every slot hangs, before the request could be finished."""
    QUEUE_FULL = "queue_full"
    """The queue is full."""
    QUOTA = "quota"
    """The client holds its quota of images or bytes; the rest is for other clients."""
    DEADLINE = "deadline"
    """The request is predicted to miss its deadline."""
    UPLOAD_LIMIT = "upload_limit"
    """The maximum number of bodies is being read, and none ended soon enough."""
    WAITING_BYTES = "waiting_bytes"
    """The bodies that are uploading or waiting leave too few bytes for this one."""


class Rejected(Exception):
    """The request is rejected before any work: it may be retried elsewhere at once."""

    def __init__(self, reason: RejectionReason, retry_after: float) -> None:
        """``retry_after``: seconds until this replica is likely to admit it."""
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class DeadlineExceeded(Exception):
    """The result was not ready by the request's deadline."""


class ClientDisconnected(Exception):
    """The client closed its connection before its response was ready."""


class AdmissionStopped(Exception):
    """The slots were stopped, or all of them hang, while the request waited."""
