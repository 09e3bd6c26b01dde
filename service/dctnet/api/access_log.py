"""Access log, request metrics and spans: one record per request, when its response is sent."""

import logging
import re
from collections.abc import Callable
from time import monotonic
from typing import Any

from flask import Response, g, request

from dctnet import logs
from dctnet.api import request_id
from dctnet.api.connection import connection
from dctnet.metrics import Metrics, UnreadReason, classify_outcome
from dctnet.tracing import RequestTimes, Tracing

logger = logging.getLogger("dctnet.access")

POLLED_ROUTES = {"/health", "/v1/queue-tickets/<ticket>"}
"""Routes that clients poll: logged at the level debug, and not traced."""

# RFC: W3C Trace Context, version 00: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def start_record() -> None:
    """Start a request's record, and put its IDs into all log records of its thread."""
    g.record = {}
    g.started_at = monotonic()
    trace_id = _trace_id(request.headers.get("traceparent", ""))
    ids = {"request_id": request_id.current_request_id(), "trace_id": trace_id}
    logs.request_ids.set({name: value for name, value in ids.items() if value is not None})


def add_fields(**fields: Any) -> None:
    """Add fields to the log record of the current request."""
    g.record |= fields


def mark_queued(queued_at: float) -> None:
    """Set when the job was queued, on the monotonic clock; its spans start there."""
    g.queued_at = queued_at


def finish_record(metrics: Metrics, tracing: Tracing | None) -> Callable[[Response], Response]:
    """Make the handler that writes the record when the response has been sent."""

    def after_request(response: Response) -> Response:
        if not connection(request).finished:
            connection(request).close_after_response()  # Unread bytes are not the next request.
        fields: dict[str, Any] = {
            **logs.request_ids.get(),
            "method": request.method,
            "route": request.url_rule.rule if request.url_rule else "none",
            "status": response.status_code,
            **g.record,
            "bytes_out": response.content_length,
        }
        _count_processing(metrics, fields)
        parent = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
        started_at, queued_at = g.started_at, g.get("queued_at")

        def on_sent(unread: UnreadReason | None) -> None:
            fields["unread"] = unread
            moments = RequestTimes(started_at, monotonic(), queued_at)
            if tracing is not None and fields["route"] not in POLLED_ROUTES:
                fields["trace_id"] = tracing.trace(fields, parent, moments)
            _count_response(metrics, fields, moments.ended - moments.started)
            _log({**fields, "duration": round(moments.ended - moments.started, 4)})

        client = connection(request)
        response.call_on_close(lambda: client.after_sending(on_sent))
        return response

    return after_request


def _count_processing(metrics: Metrics, fields: dict[str, Any]) -> None:
    """Count before the response is sent, because a slow reader may take minutes."""
    for stage, seconds in fields.get("stages", {}).items():
        metrics.stage_seconds.labels(stage).observe(seconds)
    if "rejected" in fields:
        metrics.rejected.labels(fields["rejected"]).inc()


def _count_response(metrics: Metrics, fields: dict[str, Any], seconds: float) -> None:
    route, method = fields["route"], _method_label(fields["method"])
    metrics.requests.labels(route, method, fields["status"]).inc()
    outcome = classify_outcome(fields["status"], fields["unread"])
    # The histogram keeps the last exemplar of each bucket, so clients cannot add any.
    exemplar = {"trace_id": fields["trace_id"]} if "trace_id" in fields else None
    metrics.request_seconds.labels(route, outcome).observe(seconds, exemplar)


def _log(fields: dict[str, Any]) -> None:
    logger.log(
        logging.DEBUG if fields["route"] in POLLED_ROUTES else logging.INFO,
        "%s %s %s",
        fields["method"],
        fields["route"],
        fields["status"],
        extra={"fields": {name: _round_seconds(value) for name, value in fields.items()}},
    )


def _round_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: round(seconds, 4) for key, seconds in value.items()}
    return value


def _method_label(method: str) -> str:
    """Bound the values of the label, because clients may send any method."""
    return method if method in {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"} else "other"


def _trace_id(traceparent: str) -> str | None:
    match = _TRACEPARENT.fullmatch(traceparent)
    return match.group(1) if match else None
