"""OpenTelemetry tracing: a span per request and per stage, if a collector is set.

Spans are made from a request's access record after its response, so inference code has no tracing.
OpenTelemetry is an optional extra, imported only when it is used. Its SDK reads the ``OTEL_*``
variables itself.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dctnet import __version__
from dctnet.config import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"

FLUSH_S = 2.0
"""How long shutdown waits for the last spans, in seconds; part of `GRACEFUL_MARGIN_S`."""

WARNING_INTERVAL_S = 60.0
"""Least time between two warnings about a collector that takes no spans, in seconds."""

# HTTP semantic conventions: any other method is `_OTHER`, and is not part of a span's name.
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

# Members of the access log that are span attributes too.
_SPAN_FIELDS = ("bytes_in", "pixels", "faces", "rejected")


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """Monotonic times of a request in seconds: start, end, and queueing if queued."""

    started: float
    ended: float
    queued: float | None


def from_environment(environ: Mapping[str, str]) -> "Tracing | None":
    """Return the tracing, or None if no endpoint is set; raise SettingsError."""
    variable = next((name for name in ENDPOINTS if environ.get(name)), None)
    if variable is None or _is_off(environ):
        return None
    for name in PROTOCOLS:
        if environ.get(name, PROTOCOL) not in {"", PROTOCOL}:
            raise SettingsError(f"{name} is {environ[name]!r}, but it must be {PROTOCOL}.")
    host = _host(environ[variable])
    if not host:
        raise SettingsError(
            f"{variable} is {environ[variable]!r}, but it must be an address such as"
            " http://collector:4318."
        )
    try:
        return Tracing(host)
    except ImportError as error:
        raise SettingsError(
            f"{variable} is set, but {error.name} is not installed: install dctnet with its"
            " `tracing` extra, or unset the variable."
        ) from None


def _is_off(environ: Mapping[str, str]) -> bool:
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return disabled or environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"


def _host(address: str) -> str:
    """Return an HTTP URL's host and port, without credentials; empty for other URLs."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return parts.netloc.rpartition("@")[2] if parts.scheme in {"http", "https"} else ""


class Tracing:
    """Makes spans, which a thread of the SDK exports. Thread-safe."""

    def __init__(self, host: str) -> None:
        """Import the exporter, so that a missing extra fails at once; raise ImportError."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        self.host = host
        self._exporter = OTLPSpanExporter()
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    def start(self) -> None:
        """Start exporting, in the worker: threads do not survive a fork."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        sdk_logger = logging.getLogger("opentelemetry")
        sdk_logger.handlers, sdk_logger.propagate = [_RateLimitedHandler()], False
        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "dctnet"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        # Its bounded queue drops spans rather than block.
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("dctnet", __version__)

    def stop(self) -> None:
        """Flush the last spans, within ``FLUSH_S``."""
        if self._provider is not None:
            # In a thread: the SDK would wait for a collector that hangs.
            last = Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
            last.start()
            last.join(FLUSH_S)

    def trace(
        self, fields: Mapping[str, Any], parent: Mapping[str, str], times: RequestTimes
    ) -> str:
        """Make the spans of a completed request, and return their trace id.

        ``fields`` is the request's access record, ``parent`` its W3C Trace Context headers.
        """
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        assert self._tracer is not None, "Tracing starts before the first request."
        # One offset for all: the wall clock may be set while a request is served.
        epoch = time.time() - time.monotonic()

        def at(moment: float) -> int:
            return round((epoch + moment) * 1e9)

        span = self._tracer.start_span(
            _name(fields),
            TraceContextTextMapPropagator().extract(parent),
            kind=SpanKind.SERVER,
            attributes=_attributes(fields),
            start_time=at(times.started),
        )
        if fields["status"] >= 500:
            span.set_status(StatusCode.ERROR)
        if times.queued is not None:
            context = set_span_in_context(span)
            started = times.queued
            for stage, seconds in fields.get("stages", {}).items():
                child = self._tracer.start_span(stage, context, start_time=at(started))
                started += seconds
                child.end(at(started))
        span.end(at(times.ended))
        return f"{span.get_span_context().trace_id:032x}"


def _name(fields: Mapping[str, Any]) -> str:
    method = fields["method"] if fields["method"] in _METHODS else "HTTP"
    return method if fields["route"] == "none" else f"{method} {fields['route']}"


def _attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request span's attributes: semantic conventions, and ``dctnet.*``."""
    method, route, status = fields["method"], fields["route"], fields["status"]
    attributes: dict[str, Any] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "http.response.status_code": status,
        "http.response.header.x-request-id": [fields["request_id"]],
        "url.scheme": "http",
    }
    if route != "none":
        attributes["http.route"] = route
        if "<" not in route:  # A path with parameters has client data.
            attributes["url.path"] = route
    if status >= 500:
        attributes["error.type"] = str(status)
    return attributes | {f"dctnet.{name}": fields[name] for name in _SPAN_FIELDS if name in fields}


class _RateLimitedHandler(logging.Handler):
    """Logs the SDK's warnings, at most one in ``WARNING_INTERVAL_S``."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Log a warning, unless another one was logged a moment ago."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + WARNING_INTERVAL_S
            logger.warning("tracing: %s", record.getMessage())
