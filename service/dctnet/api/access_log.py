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
from dctnet.metrics import Metrics, UnreadReason
from dctnet.tracing import Moments, Tracing

logger = logging.getLogger("dctnet.access")

POLLED = {"/health", "/v1/queue-tickets/<ticket>"}
"""Routes that clients poll: logged at the level debug, and not traced."""

# RFC: W3C Trace Context, version 00: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def start_record() -> None:
    """Start a request's record, and put its ids into all log records of its thread."""
    g.record = {}
    g.started = monotonic()
    trace_id = _trace_id(request.headers.get("traceparent", ""))
    ids = {"request_id": request_id.current_request_id(), "trace_id": trace_id}
    logs.request_ids.set({name: value for name, value in ids.items() if value is not None})


def add_fields(**facts: Any) -> None:
    """Add what is learnt of the request while it is served."""
    g.record |= facts


def mark_queued(at: float) -> None:
    """Note when the image took its place in the queue; its stages follow from there."""
    g.queued = at


def finish_record(metrics: Metrics, tracing: Tracing | None) -> Callable[[Response], Response]:
    """Make the handler that closes the record when the answer has been sent."""

    def after_request(response: Response) -> Response:
        if not connection(request).finished:
            connection(request).close_after_answer()  # What is left unread is no next request.
        facts: dict[str, Any] = {
            **logs.request_ids.get(),
            "method": request.method,
            "route": request.url_rule.rule if request.url_rule else "none",
            "status": response.status_code,
            **g.record,
            "bytes_out": response.content_length,
        }
        _count_processing(metrics, facts)
        parent = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
        started, place = g.started, g.get("queued")

        def end(unread: UnreadReason | None) -> None:
            facts["unread"] = unread
            moments = Moments(started, monotonic(), place)
            _count_response(metrics, facts, moments.ended - moments.started)
            if tracing is not None and facts["route"] not in POLLED:
                facts["trace_id"] = tracing.trace(facts, parent, moments)
            _log({**facts, "duration": round(moments.ended - moments.started, 4)})

        client = connection(request)
        response.call_on_close(lambda: client.after_sending(end))
        return response

    return after_request


def _count_processing(metrics: Metrics, facts: dict[str, Any]) -> None:
    """Count what is over before the response is sent, which may take a slow reader minutes."""
    for stage, took in facts.get("stages", {}).items():
        metrics.stage_seconds.labels(stage).observe(took)
    if "rejected" in facts:
        metrics.rejected.labels(facts["rejected"]).inc()


def _count_response(metrics: Metrics, facts: dict[str, Any], seconds: float) -> None:
    route, method = facts["route"], _method(facts["method"])
    metrics.requests.labels(route, method, facts["status"]).inc()
    metrics.request_seconds.labels(route).observe(seconds)


def _log(facts: dict[str, Any]) -> None:
    logger.log(
        logging.DEBUG if facts["route"] in POLLED else logging.INFO,
        "%s %s %s",
        facts["method"],
        facts["route"],
        facts["status"],
        extra={"fields": {name: _rounded(value) for name, value in facts.items()}},
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: round(seconds, 4) for key, seconds in value.items()}
    return value


def _method(method: str) -> str:
    """Bound the values of the label: clients may send any word."""
    return method if method in {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"} else "other"


def _trace_id(traceparent: str) -> str | None:
    match = _TRACEPARENT.fullmatch(traceparent)
    return match.group(1) if match else None
